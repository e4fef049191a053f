// Breaking nodes, and visiting sites through a node of one's choice: by `hwc-lab`.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { cluster, labProgram, type ClusterNode } from './cluster';

const run = promisify(execFile);

/** No command of the lab takes longer; booting a node takes 10 to 20 s. */
const COMMAND_LIMIT_MS = 180_000;
/** A request may wait 15 s at the front door while another node takes the site over. */
const REQUEST_LIMIT_S = 25;
/** Pages of WordPress have some hundred kilobytes. */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

async function lab(...args: string[]): Promise<string> {
  const { stdout } = await run(labProgram, ['--id', cluster.lab_id, ...args], {
    timeout: COMMAND_LIMIT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return stdout;
}

/** Ends all processes of a node at once. */
export async function killNode(name: string): Promise<void> {
  await lab('kill', name);
}

/** Switches a node on again. Does nothing when it is on. */
export async function startNode(name: string): Promise<void> {
  const running = await runningNodes();
  if (!running.includes(name)) await lab('start', name);
}

async function runningNodes(): Promise<string[]> {
  const { labs } = JSON.parse(await lab('--json', 'status')) as { labs: { id: string; nodes: { name: string; state: string }[] }[] };
  const ours = labs.find(({ id }) => id === cluster.lab_id);
  if (!ours) throw new Error(`lab ${cluster.lab_id} is gone`);
  return ours.nodes.filter(({ state }) => state === 'running').map(({ name }) => name);
}

export interface Visit {
  /** The HTTP status; 0 when nobody answered. */
  status: number;
  body: string;
}

/** Reads `https://DOMAIN/PATH` through one node, as a visitor whose DNS names that node only. */
export async function visit(node: ClusterNode, domain: string, path = '/'): Promise<Visit> {
  return curl('--location', '--resolve', `${domain}:443:${node.address}`, `https://${domain}${path}`);
}

/** Asks one node's API who somebody with this session is. */
export async function sessionAt(node: ClusterNode, token: string): Promise<Visit> {
  return curl('--header', `Authorization: Bearer ${token}`, `https://${node.address}:8443/api/v1/session`);
}

async function curl(...args: string[]): Promise<Visit> {
  const usual = ['--silent', '--insecure', '--max-time', String(REQUEST_LIMIT_S), '--write-out', '\n%{http_code}'];
  // What curl could not do is its exit code, and status 0 in what it writes.
  const output = await lab('client', '--', 'curl', ...usual, ...args).catch((error: { stdout?: string }) => {
    if (typeof error.stdout === 'string' && /\n\d{3}$/.test(error.stdout)) return error.stdout;
    throw error;
  });
  const end = output.lastIndexOf('\n');
  return { status: Number(output.slice(end + 1)), body: output.slice(0, end) };
}

/** `hwc status` on a node, for what an operator would see. */
export async function hwcStatus(node: string): Promise<string> {
  return lab('exec', node, '--', 'hwc', 'status');
}
