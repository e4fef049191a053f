// What an administrator sees and does, and what a customer can't.

import type { Method } from '../lib/api';
import { cluster } from '../lib/cluster';
import { newDomain, newLogin, newPassword } from '../lib/names';
import { expectRefusal, open, signIn } from '../lib/panel';
import { bringSession, expect, listen, test } from '../lib/test';

test('nodes with their health and load, as a table and as a map', async ({ page }) => {
  await signIn(page, cluster.admin);
  await expect(page.getByRole('heading', { name: 'Nodes', level: 1 })).toBeVisible();
  await expect(page.getByText('Updating live')).toBeVisible();
  for (const node of cluster.nodes) {
    const disc = page.getByRole('link', { name: new RegExp(`^Node ${node.name}: \\d+\\s%, \\d+ live sites?, \\d+ cop(y|ies)$`) });
    await expect(disc).toBeVisible();
  }
  await expect(page.getByRole('main')).toContainText('Nothing. You don’t have to do anything.');

  const last = cluster.nodes.at(-1)!;
  await page.getByRole('link', { name: new RegExp(`^Node ${last.name}:`) }).click();
  const details = page.getByRole('region', { name: last.name });
  await expect(details).toContainText(last.address);
  await expect(details.getByRole('meter', { name: /^Processor: \d+\.\d \/ \d+ cores?$/ })).toBeVisible();
  await expect(details.getByRole('meter', { name: /^Memory: / })).toBeVisible();
  await expect(details.getByRole('meter', { name: /^Pool: / })).toBeVisible();

  await page.getByRole('link', { name: 'Table' }).click();
  await expect(page.getByRole('row')).toHaveCount(cluster.nodes.length + 1);
  for (const node of cluster.nodes) {
    const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: node.name }) });
    await expect(row).toContainText('Answers');
    await expect(row.getByRole('cell').nth(2)).toHaveText(/^\d+\s%$/);
  }
});

test('a customer who was just created signs in', async ({ page, browser, admin }) => {
  const login = { login: newLogin(), password: newPassword() };
  const name = `Jonas ${login.login}`;
  await bringSession(page.context(), admin.token);

  await test.step('create the account', async () => {
    await open(page, '/accounts');
    await page.getByRole('link', { name: 'New customer' }).click();
    await page.getByLabel('Name', { exact: true }).fill(name);
    await page.getByLabel('Email').fill(`${login.login}@customer.example`);
    await page.getByLabel('User name').fill(login.login);
    await page.getByLabel('First password').fill(login.password);
    await page.getByLabel('Most sites').fill('3');
    await page.getByRole('button', { name: 'Create customer' }).click();
    await expect(page).toHaveURL(/\/accounts\?done=account-created$/);
    await expect(page.getByText('The customer can sign in now.')).toBeVisible();
    const row = page.getByRole('row').filter({ hasText: name });
    await expect(row).toContainText('Active');
    await expect(row.getByRole('meter', { name: 'Sites: 0 / 3' })).toBeVisible();
  });

  await test.step('the customer signs in elsewhere', async () => {
    const elsewhere = await browser.newContext();
    const complaints = await listen(elsewhere);
    const theirs = await elsewhere.newPage();
    await signIn(theirs, login);
    await expect(theirs.getByRole('heading', { name: 'My sites', level: 1 })).toBeVisible();
    await expect(theirs.getByText('No site yet')).toBeVisible();
    expect(complaints).toEqual([]);
    await elsewhere.close();
  });

  await test.step('the administrator deletes the account', async () => {
    await page.getByRole('row').filter({ hasText: name }).getByRole('link', { name: /^Delete/ }).click();
    await page.getByRole('button', { name: `Delete ${name}` }).click();
    await expect(page.getByText('The account is deleted.')).toBeVisible();
    await expect(page.getByRole('row').filter({ hasText: name })).toHaveCount(0);
    expect((await admin.accounts()).map((account) => account.login)).not.toContain(login.login);
  });
});

test('what was refused is counted on the node that was asked, and nothing else is there', async ({ page, admin }) => {
  const site = await admin.createSite(newDomain());
  const problem = await admin.refused('POST', `/sites/${site.id}/move`, { node: 999 }, 404);
  expect(problem).toMatchObject({ code: 'unknown-node', field: 'node' });
  await bringSession(page.context(), admin.token);
  await open(page, '/network');
  await expect(page.getByText(/^Requests: .*\bunknown-node \d/).first()).toBeVisible();
  expect((await admin.site(site.id)).jobs).toEqual([]);
  await admin.deleteSite(site);
});

test.describe('refusals', () => {
  test.use({ expectedComplaints: /Failed to load resource: the server responded with a status of 4\d\d/ });

  test('a user name that somebody has is refused at its field', async ({ page, admin, customer }) => {
    await bringSession(page.context(), admin.token);
    const before = await admin.accounts();
    await open(page, '/accounts/new');
    await page.getByLabel('Name', { exact: true }).fill('Somebody else');
    await page.getByLabel('Email').fill('else@customer.example');
    await page.getByLabel('User name').fill(customer.login);
    await page.getByLabel('First password').fill(newPassword());
    await page.getByRole('button', { name: 'Create customer' }).click();
    await expectRefusal(page.getByLabel('User name'), 'This user name belongs to somebody already. Choose another one.');
    expect(await admin.accounts()).toHaveLength(before.length);
  });

  test('a customer can’t see what administrators see', async ({ page, signedIn, admin }) => {
    for (const path of [
      '/nodes',
      '/nodes/new',
      '/nodes/1/drain',
      '/nodes/1/settings',
      '/moves',
      '/balancing',
      '/voters',
      '/voters/lost?node=1',
      '/network',
      '/accounts',
      '/accounts/new',
      `/accounts/${signedIn.account.id}/delete`,
    ]) {
      const answer = await page.goto(path);
      expect(answer?.status(), path).toBe(403);
      await expect(page.getByRole('heading', { name: 'For administrators', level: 1 })).toBeVisible();
      const text = (await answer?.text()) ?? '';
      for (const secret of [admin.account.login, 'load_1m']) expect(text, path).not.toContain(`"${secret}"`);
    }
    await page.goto('/');
    const menu = page.getByRole('navigation', { name: 'Main' });
    await expect(menu.getByRole('link', { name: 'My sites' })).toBeVisible();
    for (const name of ['Nodes', 'Moves', 'Spreading load', 'Voters', 'Network and keys']) {
      await expect(menu.getByRole('link', { name })).toHaveCount(0);
    }
    await expect(menu.getByRole('link', { name: 'Accounts' })).toHaveCount(0);
  });

  test('a customer may not call what administrators call', async ({ signedIn }) => {
    const mine = signedIn.account.id;
    const calls: [Method, string, unknown][] = [
      ['GET', '/nodes', undefined],
      ['POST', '/nodes/tokens', { minutes: 60 }],
      ['DELETE', '/nodes/1', undefined],
      ['POST', '/nodes/1/drain', {}],
      ['GET', '/nodes/1/drain', undefined],
      ['DELETE', '/nodes/1/drain', undefined],
      ['PUT', '/nodes/1/zone', { zone: 'cellar' }],
      ['PUT', '/nodes/1/services', { switched_off: [] }],
      ['GET', '/moves', undefined],
      ['GET', '/balancing', undefined],
      ['GET', '/registry', undefined],
      ['POST', '/registry/declare-lost', { nodes: [1] }],
      ['POST', '/cluster/keys', undefined],
      ['GET', '/accounts', undefined],
      ['GET', `/accounts/${mine}`, undefined],
      ['POST', '/accounts', { login: newLogin(), name: 'x', email: 'x@customer.example', password: newPassword() }],
      ['DELETE', `/accounts/${mine}`, undefined],
    ];
    for (const [method, path, body] of calls) {
      const problem = await signedIn.api.refused(method, path, body, 403);
      expect(problem.code, `${method} ${path}`).toBe('forbidden');
    }
  });

  test('a customer can’t see or touch another’s site', async ({ page, signedIn, admin }) => {
    const site = await admin.createSite(newDomain());
    const answer = await page.goto(`/sites/${site.id}`);
    expect(answer?.status()).toBe(404);
    expect(await answer?.text()).not.toContain(site.domains[0]);
    for (const [method, path, body] of [
      ['GET', `/sites/${site.id}`, undefined],
      ['DELETE', `/sites/${site.id}`, { confirm: site.domains[0] }],
    ] as const) {
      expect((await signedIn.api.refused(method, path, body, 404)).code).toBe('not-found');
    }
    expect((await admin.sites()).map(({ id }) => id)).toContain(site.id);
    await admin.deleteSite(site);
  });
});
