// How the journeys run: one after another, in Debian's Chromium, with nothing tried twice. Which
// cluster they run against comes from run.sh, which also shows what each variable means.

import { defineConfig } from '@playwright/test';
import { cluster, sitesPort } from './lib/cluster';

// The sites' domains are in no DNS: the browser finds all of them at the lab's front doors. It
// finds nothing else, so that no test depends on, or tells anything to, the world outside.
const hosts = [`MAP *.example 127.0.0.1:${sitesPort}`, 'EXCLUDE 127.0.0.1', 'MAP * ~NOTFOUND'];

export default defineConfig({
  testDir: 'tests',
  outputDir: 'results/failures',
  reporter: [['list'], ['json', { outputFile: 'results/results.json' }]],
  workers: 1,
  retries: 0,
  forbidOnly: true,
  failOnFlakyTests: true,
  // A page of the panel takes well under a second; a node's machine may be busy with a neighbour.
  timeout: 60_000,
  globalTimeout: 15 * 60_000,
  expect: { timeout: 10_000 },
  use: {
    baseURL: cluster.panel_url,
    // The cluster's own authority signs its certificates.
    ignoreHTTPSErrors: true,
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    viewport: { width: 1280, height: 900 },
    actionTimeout: 10_000,
    navigationTimeout: 30_000,
    // Without its film, which costs as much as the test: the pages are in it at every step anyway.
    trace: { mode: 'retain-on-failure', screenshots: false, snapshots: true, sources: true },
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env.E2E_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        // Root can't use Chromium's sandbox.
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        `--host-resolver-rules=${hosts.join(', ')}`,
      ],
    },
  },
});
