// Every page, photographed at 1280 and 360 px in light and dark (results/shots) and judged: axe
// finds nothing, nothing scrolls sideways, the browser complains of nothing, the keyboard suffices.

import type { Page } from '@playwright/test';
import { untilLive, type SiteView } from '../lib/api';
import { cluster } from '../lib/cluster';
import { expectAccessible, expectNothingSideways, look, photograph } from '../lib/look';
import { newDomain, newPassword } from '../lib/names';
import { open, tabTo } from '../lib/panel';
import { bringSession, expect, test, type Customer } from '../lib/test';

// The photographs and axe's words say all; a trace of so many pages costs minutes.
test.use({ trace: 'off' });

test('signing in', async ({ page }) => {
  await page.goto('/sign-in?next=/sites&reason=expired');
  await look(page, 'sign-in');
});

test('no sites yet, and the first', async ({ page, signedIn }) => {
  expect(await signedIn.api.sites()).toEqual([]);
  await open(page, '/sites');
  await look(page, 'sites-none');
  await open(page, '/sites/new');
  await look(page, 'site-create');
});

test('an app: form, progress, result; the site and the sites', async ({ page, signedIn }) => {
  test.setTimeout(240_000);
  const [shop] = await createSites(signedIn, 3);

  await test.step('an empty site', async () => {
    await open(page, `/sites/${shop.id}`);
    await look(page, 'site-empty');
  });
  await test.step('the catalogue', async () => {
    await open(page, `/sites/${shop.id}/apps`);
    await expect(page.getByRole('heading', { name: 'WordPress', level: 2 })).toBeVisible();
    await look(page, 'apps');
  });
  await test.step('the form', async () => {
    await open(page, `/sites/${shop.id}/apps/wordpress`);
    await expect(page.getByRole('button', { name: 'Install WordPress' })).toBeVisible();
    await look(page, 'install-form');
  });
  await test.step('the progress', async () => {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: 'light' });
    await page.getByLabel('Site title').fill('Harbour Books');
    await page.getByLabel('Administrator name').fill('ada');
    await page.getByLabel('Administrator password').fill(newPassword());
    await page.getByRole('button', { name: 'Install WordPress' }).click();
    await expect(page.getByRole('progressbar', { name: 'Installing WordPress' })).toBeVisible();
    await expect(page.locator('ol.steps > li[data-s=now]')).toBeVisible();
    await photograph(page, 'install-progress-1280-light');
    await page.emulateMedia({ colorScheme: 'dark' });
    await photograph(page, 'install-progress-1280-dark');
    await page.setViewportSize({ width: 360, height: 740 });
    await photograph(page, 'install-progress-360-dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await photograph(page, 'install-progress-360-light');
    await expectNothingSideways(page);
    await expectAccessible(page);
  });
  await test.step('the result', async () => {
    await expect(page.getByRole('heading', { name: 'WordPress is ready', level: 1 })).toBeVisible({ timeout: 120_000 });
    await look(page, 'install-done');
  });
  await test.step('the site', async () => {
    await open(page, `/sites/${shop.id}`);
    await look(page, 'site');
  });
  await test.step('asking before it is deleted', async () => {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.getByRole('link', { name: 'Delete…' }).click();
    const dialog = page.getByRole('dialog', { name: `Delete ${shop.title}?` });
    await expect(dialog.getByRole('button', { name: `Delete ${shop.title}` })).toBeDisabled();
    await look(page, 'site-delete');
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
  });
  await test.step('all sites, as cards and as a table', async () => {
    await open(page, '/sites?view=cards');
    await look(page, 'sites');
    await open(page, '/sites?view=table');
    await look(page, 'sites-table');
  });
});

test('an administrator’s nodes and accounts', async ({ page, admin, customer }) => {
  test.setTimeout(120_000);
  const [site] = await createSites(customer, 4);
  const [node] = await admin.nodes();
  await bringSession(page.context(), admin.token);
  for (const [path, name] of [
    ['/nodes?view=cards', 'nodes'],
    ['/nodes?view=table', 'nodes-table'],
    ['/nodes/new', 'node-add'],
    [`/nodes/${node?.id}/drain`, 'drain'],
    [`/nodes/${node?.id}/settings`, 'node-settings'],
    [`/sites/${site.id}/move`, 'site-move'],
    ['/moves', 'moves'],
    ['/balancing', 'balancing'],
    ['/voters', 'voters'],
    ['/voters/lost', 'voters-lost'],
    ['/network', 'network'],
    ['/accounts', 'accounts'],
    ['/accounts/new', 'account-create'],
  ] as const) {
    await test.step(name, async () => {
      await open(page, path);
      await look(page, name);
    });
  }
});

test.describe('what is not there', () => {
  test.use({ expectedComplaints: /Failed to load resource: the server responded with a status of 404/ });

  test('a page that does not exist', async ({ page, signedIn }) => {
    expect(signedIn.account.id).toBeGreaterThan(0);
    await open(page, '/no/such/page');
    await expect(page.getByRole('heading', { name: 'Not found', level: 1 })).toBeVisible();
    await look(page, 'not-found');
  });
});

test('in German, and mirrored for languages that are written right to left', async ({ page, signedIn }) => {
  await createSites(signedIn, 2);
  await page.context().addCookies([{ name: 'hwc-lang', value: 'de', url: cluster.panel_url, secure: true }]);
  await open(page, '/sites');
  await expect(page.locator('html')).toHaveAttribute('lang', 'de');
  await expect(page.getByRole('heading', { name: 'Meine Websites', level: 1 })).toBeVisible();
  await look(page, 'sites-de');
  // No language of ours is written right to left yet; the pages have to be ready for one.
  await page.evaluate(() => document.documentElement.setAttribute('dir', 'rtl'));
  await look(page, 'sites-rtl');
});

test('the keyboard suffices to sign in and to create a site', async ({ page, customer }) => {
  const domain = newDomain();
  await page.goto('/sign-in');
  await expect(page.getByLabel('User name')).toBeFocused();
  await page.keyboard.type(customer.login);
  await tabTo(page, page.getByLabel('Password', { exact: true }));
  await page.keyboard.type(customer.password);
  const takenOver = page.waitForEvent('websocket');
  await tabTo(page, page.getByRole('button', { name: 'Sign in' }));
  await page.keyboard.press('Enter');
  await takenOver;

  await test.step('past the menu, by the first link of the page', async () => {
    await expect(page.getByRole('heading', { name: 'My sites', level: 1 })).toBeVisible();
    await page.keyboard.press('Tab');
    await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await expect(page.getByRole('main').locator(':focus')).toBeVisible();
    await page.keyboard.press('Shift+Tab');
  });

  await tabTo(page, page.getByRole('main').getByRole('link', { name: 'New site' }).first());
  await expectVisibleFocus(page);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'New site', level: 1 })).toBeVisible();
  const field = page.getByLabel('Domain');
  if (!(await field.evaluate((element) => element === document.activeElement))) await tabTo(page, field);
  await page.keyboard.type(domain);
  await tabTo(page, page.getByRole('button', { name: 'Create site' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: domain, level: 1 })).toBeVisible();
  expect((await customer.api.sites()).map((site) => site.title)).toEqual([domain]);
});

/** What has the focus can be told from what has not. */
async function expectVisibleFocus(page: Page): Promise<void> {
  const ring = await page.evaluate(() => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement!);
    return { outlineStyle, outlineWidth, boxShadow };
  });
  expect(ring.outlineStyle !== 'none' || ring.boxShadow !== 'none', JSON.stringify(ring)).toBe(true);
}

/** Live sites of a customer, the first one first. */
async function createSites({ api }: Customer, count: number): Promise<[SiteView, ...SiteView[]]> {
  const first = await api.createSite(newDomain());
  const others: SiteView[] = [];
  for (let index = 1; index < count; index += 1) others.push(await api.createSite(newDomain('harbour-books')));
  return [await untilLive(api, first.id), ...(await Promise.all(others.map((site) => untilLive(api, site.id))))];
}
