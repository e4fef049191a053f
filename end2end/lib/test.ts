// What every test starts with: an administrator for preparations, a customer of its own, and a
// watch over the browser's console. Tests take `test` and `expect` from here.

import { expect, test as base, type BrowserContext, type ConsoleMessage } from '@playwright/test';
import { Api, type AccountView, type Limits } from './api';
import { cluster, type Login } from './cluster';
import { newLogin, newPassword } from './names';

/** A customer who exists for one test, with all their sites. */
export interface Customer extends Login {
  name: string;
  account: AccountView;
  api: Api;
}

interface Options {
  /** How much the test's customer may have. */
  limits: Limits;
  /** Complaints of the browser that belong to what the test does. */
  expectedComplaints: RegExp;
}

interface Fixtures {
  customer: Customer;
  /** A session of the customer in the browser, without going through the sign-in page. */
  signedIn: Customer;
  watch: void;
}

interface WorkerFixtures {
  admin: Api;
}

/** Matches nothing. */
const NONE = /(?!)/;

export const test = base.extend<Options & Fixtures, WorkerFixtures>({
  limits: [{ sites: 10, databases: 20 }, { option: true }],
  expectedComplaints: [NONE, { option: true }],

  admin: [
    async ({}, use) => {
      const admin = await Api.signIn(cluster.admin);
      await use(admin);
      await admin.leave();
    },
    { scope: 'worker' },
  ],

  customer: async ({ admin, limits }, use) => {
    const login = { login: newLogin(), password: newPassword(), name: 'Ada Brandt' };
    const account = await admin.createCustomer(login, limits);
    const api = await Api.signIn(login);
    await use({ ...login, account, api });
    const sites = await admin.sites();
    for (const site of sites.filter((site) => site.account === account.id)) await admin.deleteSite(site);
    await admin.deleteAccount(account.id);
    await api.leave();
  },

  signedIn: async ({ context, customer }, use) => {
    await bringSession(context, customer.api.token);
    await use(customer);
  },

  watch: [
    async ({ context, expectedComplaints }, use) => {
      const complaints = await listen(context);
      await use();
      const unexpected = complaints.filter((text) => !expectedComplaints.test(text));
      expect(unexpected, 'what the browser complained about').toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Gives the browser a session. */
export async function bringSession(context: BrowserContext, token: string): Promise<void> {
  await context.addCookies([
    { name: '__Host-hwc-session', value: token, url: cluster.panel_url, httpOnly: true, secure: true, sameSite: 'Lax' },
  ]);
}

/** Collects errors on the panel's pages: the console's, uncaught ones, breaches of the policy. */
export async function listen(context: BrowserContext): Promise<string[]> {
  const complaints: string[] = [];
  const isPanel = (address: string | undefined) => address?.startsWith(cluster.panel_url) ?? false;
  context.on('console', (message: ConsoleMessage) => {
    if (message.type() !== 'error' || !isPanel(message.page()?.url())) return;
    complaints.push(`${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (error) => {
    if (isPanel(error.page()?.url())) complaints.push(String(error.error()));
  });
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (breach) => {
      console.error(`content policy: ${breach.violatedDirective} ${breach.blockedURI} ${breach.sample}`);
    });
  });
  return complaints;
}
