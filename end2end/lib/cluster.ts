// The cluster under test, as `cluster.json` describes it.

import { readFileSync } from 'node:fs';

export interface Login {
  login: string;
  password: string;
}

export interface ClusterNode {
  name: string;
  address: string;
}

export interface Cluster {
  panel_url: string;
  admin: Login;
  customer: Login;
  lab_id: string;
  nodes: ClusterNode[];
}

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start the tests with end2end/run.sh`);
  return value;
}

export const cluster = JSON.parse(readFileSync(variable('E2E_CLUSTER'), 'utf8')) as Cluster;

/** The port of this machine that leads to port 443 of the first node that answers. */
export const sitesPort = Number(variable('E2E_SITES_PORT'));

/** The lab's command line. */
export const labProgram = variable('E2E_LAB_PROGRAM');
