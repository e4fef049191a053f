// The journey: from a customer's click on "WordPress" to a node's death and back, as one story,
// because every step stands on the one before.

import type { Page } from '@playwright/test';
import { Api, untilCopied, untilWhole, type SiteView } from '../lib/api';
import { cluster, type ClusterNode } from '../lib/cluster';
import { hwcStatus, killNode, sessionAt, startNode, visit } from '../lib/lab';
import { newDomain, newPassword } from '../lib/names';
import { createSite, open, shownLiveNode, signIn, signOut, whereDiagram } from '../lib/panel';
import { expect, test } from '../lib/test';

/** A visitor must have the page again within this time; the bound is generous, the goal is 5 s. */
const TAKEOVER_LIMIT_MS = 30_000;

// While the node that serves the panel's page is dead, its connections break.
test.use({ expectedComplaints: /WebSocket connection to|net::ERR_(CONNECTION|EMPTY|SSL|TIMED|NETWORK)/ });

test.afterEach(async ({ admin }) => {
  for (const node of cluster.nodes) await startNode(node.name);
  await untilWhole(admin);
});

test('a WordPress site survives the node that serves it, and the customer stays signed in', async ({ page, context, admin }) => {
  test.setTimeout(300_000);
  const domain = newDomain();
  const title = 'Harbour Books';
  const author = { login: 'ada', password: newPassword() };
  const comment = `Written a moment before ${domain}’s node dies`;
  const customer = await Api.signIn(cluster.customer);
  let site: SiteView | undefined;

  try {
    await test.step('sign in', async () => {
      await page.goto('/');
      await expect(page).toHaveURL(/\/sign-in/);
      await signIn(page, cluster.customer);
      await expect(page.getByRole('heading', { name: 'My sites', level: 1 })).toBeVisible();
    });

    const id = await test.step('create a site', async () => {
      await page.getByRole('main').getByRole('link', { name: 'New site' }).first().click();
      const created = await createSite(page, domain);
      await expect(page.getByRole('heading', { name: domain, level: 1 })).toBeVisible();
      return created;
    });
    site = await customer.site(id);

    await test.step('see it live, with a copy', async () => {
      await expect(whereDiagram(page)).toHaveAccessibleName(/^Live on n\d\. Copy on n\d, /, { timeout: 30_000 });
      await expect(page.getByRole('main').getByText('Protected: 1 copy, up to date').first()).toBeVisible({ timeout: 30_000 });
    });

    await test.step('install WordPress and watch it', async () => {
      await page.getByRole('link', { name: 'Install WordPress' }).click();
      await page.getByLabel('Site title').fill(title);
      await page.getByLabel('Administrator name').fill(author.login);
      await page.getByLabel('Administrator email').fill('ada@customer.example');
      await page.getByLabel('Administrator password').fill(author.password);
      await page.getByLabel('Language', { exact: true }).selectOption('English');
      await page.getByRole('button', { name: 'Install WordPress' }).click();
      await expect(page).toHaveURL(/\/jobs\/\d+/);
      await expect(page.getByRole('progressbar', { name: 'Installing WordPress' })).toBeVisible();
      await expect(page.getByRole('heading', { name: 'WordPress is ready', level: 1 })).toBeVisible({ timeout: 120_000 });
      const steps = page.locator('ol.steps > li');
      expect(await steps.count()).toBeGreaterThanOrEqual(4);
      expect(await steps.evaluateAll((all) => all.map((step) => step.dataset['s']))).toEqual(
        Array(await steps.count()).fill('ok'),
      );
    });

    await test.step('read its front page through every node', async () => {
      for (const node of cluster.nodes) {
        const { status, body } = await visit(node, domain);
        expect(status, `through ${node.name}`).toBe(200);
        expect(body).toContain(`<title>${title}`);
      }
    });

    const wordpress = await test.step('open the site in the browser and sign in to WordPress', async () => {
      const tab = await context.newPage();
      await tab.goto(`https://${domain}/wp-login.php?redirect_to=${encodeURIComponent('/?p=1')}`);
      await tab.getByLabel('Username or Email Address').fill(author.login);
      await tab.getByLabel('Password', { exact: true }).fill(author.password);
      await tab.getByRole('button', { name: 'Log In' }).click();
      await expect(tab.getByRole('heading', { name: 'Hello world!' }).first()).toBeVisible();
      return tab;
    });

    await test.step('see the age of the copies change while the site is written to', async () => {
      await open(page, `/sites/${id}`);
      const seen = await agesWhileWriting(page, wordpress);
      expect(seen.size, [...seen].join('\n')).toBeGreaterThan(1);
    });

    await test.step('post a comment', async () => {
      await wordpress.goto(`https://${domain}/?p=1`);
      await wordpress.getByRole('textbox', { name: /^Comment/ }).fill(comment);
      await wordpress.getByRole('button', { name: 'Post Comment' }).click();
      await expect(wordpress.getByText(comment)).toBeVisible();
    });

    await test.step('wait until the copies hold it', async () => {
      await untilCopied(customer, id);
      await expect(page.getByText('Protected: 1 copy, up to date').first()).toBeVisible();
    });

    const first = await test.step('kill the live node', () => killLiveNode(page, customer, id));

    await test.step('read the page with the comment through every other node', async () => {
      await readThroughOthers(first, domain, comment);
    });

    const second = await test.step('see in the panel, still signed in, where the site lives now', async () => {
      await expect.poll(() => shownLiveNode(page), { timeout: 30_000 }).not.toBe(first);
      await open(page, `/sites/${id}`);
      await expect(page.getByRole('heading', { name: domain, level: 1 })).toBeVisible();
      const moved = await shownLiveNode(page);
      expect(moved).not.toBe(first);
      return moved;
    });

    await test.step('see the comment in the browser, still signed in to WordPress', async () => {
      await wordpress.reload();
      await expect(wordpress.getByText(comment)).toBeVisible();
      await expect(wordpress.getByText(`Logged in as ${author.login}`)).toBeVisible();
    });

    await test.step('start the dead node again: it holds a copy', async () => {
      await startNode(first);
      await untilWhole(admin);
      await expect(whereDiagram(page)).toHaveAccessibleName(new RegExp(`Live on ${second}\\..* Copy on ${first}, up to date`), {
        timeout: 60_000,
      });
      await untilCopied(customer, id);
      expect(await hwcStatus(first)).toContain(domain);
    });

    await test.step('kill the node that is live now: the page comes back from a copy', async () => {
      const killed = await killLiveNode(page, customer, id);
      expect(killed).toBe(second);
      await readThroughOthers(second, domain, comment);
      await expect.poll(() => shownLiveNode(page), { timeout: 30_000 }).not.toBe(second);
      await startNode(second);
      await untilWhole(admin);
    });

    await test.step('sign out: the session is over on every node', async () => {
      const cookie = (await context.cookies(cluster.panel_url)).find(({ name }) => name === '__Host-hwc-session');
      const token = cookie?.value ?? '';
      for (const node of cluster.nodes) expect((await sessionAt(node, token)).status, node.name).toBe(200);
      await signOut(page);
      for (const node of cluster.nodes) {
        await expect.poll(async () => (await sessionAt(node, token)).status, { message: node.name }).toBe(401);
      }
      await page.goto(`/sites/${id}`);
      await expect(page).toHaveURL(new RegExp(`/sign-in\\?next=/sites/${id}`));
    });
  } finally {
    if (site) await admin.deleteSite(site);
    await customer.leave();
  }
});

/**
 * Writes to the site, by comments of its author, until the panel has shown the protection of the
 * site in more than one way without being loaded anew. Answers all that it showed.
 */
async function agesWhileWriting(panel: Page, wordpress: Page): Promise<Set<string>> {
  const line = panel.locator('.page-h .st').last();
  const seen = new Set<string>();
  let count = 0;
  await expect(async () => {
    count += 1;
    const status = await wordpress.evaluate(async (text) => {
      const body = new URLSearchParams({ comment: text, comment_post_ID: '1' });
      return (await fetch('/wp-comments-post.php', { method: 'POST', body })).status;
    }, `Note ${count}`);
    expect(status).toBe(200);
    seen.add((await line.textContent()) ?? '');
    expect(seen.size).toBeGreaterThan(1);
  }).toPass({ timeout: 30_000, intervals: [50] });
  return seen;
}

/** Kills the node that serves the site, as the panel shows it and the API confirms it. */
async function killLiveNode(panel: Page, customer: Api, id: number): Promise<string> {
  const live = await shownLiveNode(panel);
  const site = await customer.site(id);
  expect(site.files.live_node?.name).toBe(live);
  await killNode(live);
  return live;
}

/** Reads the post through each node but one, until it comes with the comment; notes how long it took. */
async function readThroughOthers(dead: string, domain: string, comment: string): Promise<void> {
  const others = cluster.nodes.filter((node) => node.name !== dead);
  const from = Date.now();
  const read = async (node: ClusterNode) => {
    await expect(async () => {
      const { status, body } = await visit(node, domain, '/?p=1');
      expect(status, `through ${node.name}`).toBe(200);
      expect(body).toContain(comment);
    }).toPass({ timeout: TAKEOVER_LIMIT_MS, intervals: [200] });
    const seconds = ((Date.now() - from) / 1000).toFixed(1);
    test.info().annotations.push({ type: 'takeover', description: `${seconds} s after ${dead} died, through ${node.name}` });
  };
  await Promise.all(others.map(read));
}
