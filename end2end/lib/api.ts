// The cluster's JSON API, for preparing what a test needs and for asking what really happened.

import { expect, request, type APIRequestContext, type APIResponse } from '@playwright/test';
import { cluster, type Login } from './cluster';

export interface NodeRef {
  id: number;
  name: string;
}

export interface CopyView {
  node: NodeRef;
  is_reachable: boolean;
  is_complete: boolean;
  age_ms: number | null;
}

export interface DatasetView {
  id: number;
  state: 'live' | 'starting' | 'moving' | 'down';
  live_node: NodeRef | null;
  used_bytes: number;
  copies: CopyView[];
  divergent_copies: number;
}

export interface JobView {
  id: number;
  outcome: { problem: Problem | null } | null;
}

export interface SiteView {
  id: number;
  account: number;
  domains: string[];
  title: string;
  app: { app: string; version: string } | null;
  state: DatasetView['state'];
  files: DatasetView;
  databases: { name: string; dataset: DatasetView }[];
  jobs: JobView[];
}

export interface NodeView extends NodeRef {
  address: string;
  health: 'up' | 'suspect' | 'down';
  drain: { note: string } | null;
  live_sites: number;
  live_databases: number;
  copies: number;
  observed: { is_registry_writable: boolean; load_1m: number } | null;
}

/** The rules by which load is spread. */
export interface Balancing {
  is_on: boolean;
  moves_per_minute: number;
  moves_at_once: number;
  cool_down_s: number;
  veto_s: number;
  busy_percent: number;
  gap_percent: number;
  patience_s: number;
}

/** What is told of a move that is over, as far as the tests look at it. */
export interface Receipt {
  move: { reason: string; problem: Problem | null; http: Pause; mysql: Pause };
  title: string;
  from: NodeRef;
  to: NodeRef;
}

export interface Pause {
  held: number;
  failed: number;
}

export interface AccountView {
  id: number;
  login: string;
  name: string;
}

export interface Problem {
  code: string;
  message: string;
  field?: string;
  detail?: string;
}

export interface Limits {
  sites: number;
  databases: number;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Somebody who is signed in to the API. */
export class Api {
  private constructor(
    private readonly context: APIRequestContext,
    /** The session's token. */
    readonly token: string,
    readonly account: AccountView,
  ) {}

  static async signIn({ login, password }: Login): Promise<Api> {
    const stranger = await request.newContext({ ignoreHTTPSErrors: true });
    const answer = await stranger.post(`${cluster.panel_url}/api/v1/session`, { data: { login, password } });
    expect(answer.status(), await answer.text()).toBe(200);
    const { token, account } = (await answer.json()) as { token: string; account: AccountView };
    await stranger.dispose();
    const extraHTTPHeaders = { Authorization: `Bearer ${token}` };
    return new Api(await request.newContext({ ignoreHTTPSErrors: true, extraHTTPHeaders }), token, account);
  }

  async leave(): Promise<void> {
    await this.context.dispose();
  }

  /** Any call; what it answers is for the caller to judge. */
  async call(method: Method, path: string, data?: unknown): Promise<APIResponse> {
    return this.context.fetch(`${cluster.panel_url}/api/v1${path}`, { method, data });
  }

  /** A call that must be refused, with this status and code. */
  async refused(method: Method, path: string, data: unknown, status: number): Promise<Problem> {
    const answer = await this.call(method, path, data);
    expect(answer.status(), await answer.text()).toBe(status);
    return (await answer.json()) as Problem;
  }

  private async done<T>(method: Method, path: string, data?: unknown): Promise<T> {
    const answer = await this.call(method, path, data);
    expect(answer.ok(), `${method} ${path}: ${answer.status()} ${await answer.text()}`).toBe(true);
    return (await answer.json()) as T;
  }

  sites(): Promise<SiteView[]> {
    return this.done('GET', '/sites');
  }

  site(id: number): Promise<SiteView> {
    return this.done('GET', `/sites/${id}`);
  }

  createSite(domain: string): Promise<SiteView> {
    return this.done('POST', '/sites', { domain });
  }

  async deleteSite(site: SiteView): Promise<void> {
    await this.done('DELETE', `/sites/${site.id}`, { confirm: site.domains[0] });
  }

  installApp(site: number, body: InstallBody): Promise<JobView> {
    return this.done('POST', `/sites/${site}/apps`, body);
  }

  job(id: number): Promise<JobView> {
    return this.done('GET', `/jobs/${id}`);
  }

  nodes(): Promise<NodeView[]> {
    return this.done('GET', '/nodes');
  }

  balancing(): Promise<Balancing> {
    return this.done('GET', '/balancing');
  }

  setBalancing(rules: Balancing): Promise<Balancing> {
    return this.done('PUT', '/balancing', rules);
  }

  /** The moves of a site that are over, the newest first. */
  async receipts(site: number): Promise<Receipt[]> {
    const { ended } = await this.done<{ ended: Receipt[] }>('GET', `/sites/${site}/moves`);
    return ended;
  }

  /** Puts every node back to use that is being drained, or was. */
  async undrainAll(): Promise<void> {
    const drained = (await this.nodes()).filter((node) => node.drain);
    for (const node of drained) await this.done('DELETE', `/nodes/${node.id}/drain`);
  }

  accounts(): Promise<AccountView[]> {
    return this.done('GET', '/accounts');
  }

  createCustomer(customer: Login & { name: string }, limits: Limits): Promise<AccountView> {
    const email = `${customer.login}@customer.example`;
    return this.done('POST', '/accounts', { ...customer, email, limits });
  }

  async deleteAccount(id: number): Promise<void> {
    await this.done('DELETE', `/accounts/${id}`);
  }
}

export interface InstallBody {
  app: string;
  title: string;
  admin_login: string;
  admin_email: string;
  admin_password: string;
  replace?: boolean;
}

/** Waits until the site is served, and answers how it stands then. */
export async function untilLive(api: Api, site: number): Promise<SiteView> {
  await expect.poll(async () => (await api.site(site)).state, { timeout: 30_000 }).toBe('live');
  return api.site(site);
}

/** All parts of a site: its files and its databases. */
export function datasets(site: SiteView): DatasetView[] {
  return [site.files, ...site.databases.map((database) => database.dataset)];
}

/** Whether a node in reach besides the live one holds everything of the site, up to this moment. */
export function isProtected(site: SiteView): boolean {
  return datasets(site).every(({ copies }) =>
    copies.some((copy) => copy.is_reachable && copy.is_complete && copy.age_ms === 0),
  );
}

/**
 * Waits until the copies hold what was written before the call. What the API tells of a copy may be
 * a second old (noticing, snapshot, report), so a copy counts once every answer of three seconds
 * called it current.
 */
export async function untilCopied(api: Api, site: number): Promise<void> {
  let since: number | undefined;
  const isCopied = async (): Promise<boolean> => {
    since = isProtected(await api.site(site)) ? (since ?? Date.now()) : undefined;
    return since !== undefined && Date.now() - since >= 3_000;
  };
  await expect.poll(isCopied, { timeout: 60_000, intervals: [200] }).toBe(true);
}

/** Waits until a job has ended well. */
export async function untilInstalled(api: Api, job: number): Promise<void> {
  const ended = await untilEnded(api, job);
  expect(ended.outcome?.problem ?? null).toBeNull();
}

/** Waits until a job has ended, one way or the other. */
export async function untilEnded(api: Api, job: number): Promise<JobView> {
  await expect.poll(async () => (await api.job(job)).outcome, { timeout: 120_000 }).not.toBeNull();
  return api.job(job);
}

/** Waits until every node answers and settings can be changed through every one. */
export async function untilWhole(api: Api): Promise<void> {
  const standing = async () => {
    const nodes = await api.nodes();
    return nodes.map((node) => `${node.name} ${node.health} ${node.observed?.is_registry_writable ?? 'silent'}`);
  };
  const whole = cluster.nodes.map((node) => `${node.name} up true`);
  await expect.poll(standing, { timeout: 120_000, intervals: [500] }).toEqual(whole);
}
