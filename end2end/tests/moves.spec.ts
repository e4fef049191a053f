// Sites move and nodes are emptied while people watch: an administrator asks for it, the site's
// customer sees it happen, visitors are answered all the while, and every move leaves its receipt.

import { untilCopied, untilLive, type Api, type Balancing, type NodeView, type SiteView } from '../lib/api';
import { cluster } from '../lib/cluster';
import { visit } from '../lib/lab';
import { look } from '../lib/look';
import { newDomain } from '../lib/names';
import { expectRefusal, open, whereDiagram } from '../lib/panel';
import { bringSession, expect, listen, test } from '../lib/test';

// Refused forms are answered with a status that the browser complains of.
test.use({ expectedComplaints: /Failed to load resource: the server responded with a status of 4\d\d/ });

let before: Balancing;

// The moves of these tests must not wait for each other's budget.
test.beforeAll(async ({ admin }) => {
  before = await admin.balancing();
  await admin.setBalancing({ ...before, moves_per_minute: 600 });
});

test.afterAll(async ({ admin }) => {
  await admin.setBalancing(before);
});

test.afterEach(async ({ admin }) => {
  await admin.undrainAll();
});

test('a site moves while its customer watches and its visitors read', async ({ page, signedIn, admin, browser }) => {
  test.setTimeout(120_000);
  const site = await newSite(signedIn.api);
  const from = site.files.live_node!;
  const copies = site.files.copies.map(({ node }) => node.id);
  // A node without a copy: it gets one first, which takes long enough to be looked at.
  const to = (await admin.nodes()).find((node) => node.id !== from.id && !copies.includes(node.id))!;
  const greeting = (await visit(cluster.nodes[0]!, site.domains[0]!)).status;

  await open(page, `/sites/${site.id}`);
  await expect(whereDiagram(page)).toHaveAccessibleName(new RegExp(`^Live on ${from.name}\\.`));
  await expect(page.getByRole('link', { name: 'Move…' })).toHaveCount(0);

  const theirs = await browser.newContext();
  const complaints = await listen(theirs);
  await bringSession(theirs, admin.token);
  const desk = await theirs.newPage();
  await open(desk, `/sites/${site.id}/move`);
  await expect(desk.getByText('Why it is where it is')).toBeVisible();
  await expect(desk.getByText(`${from.name} serves it.`)).toBeVisible();
  await desk.getByLabel('To', { exact: true }).selectOption(to.name);
  await desk.getByRole('button', { name: 'Move', exact: true }).click();
  await expect(desk.getByText('The move has begun.')).toBeVisible();

  await test.step('the customer sees it go on, and can’t call it off', async () => {
    const card = page.getByRole('region', { name: `Moving to ${to.name}` });
    await expect(card).toBeVisible();
    await expect(card.getByRole('progressbar', { name: `Move of ${site.title}` })).toBeVisible();
    await expect(card.getByRole('button', { name: 'Call off' })).toHaveCount(0);
  });

  await test.step('visitors are answered all the while', async () => {
    await expect(async () => {
      for (const node of cluster.nodes) {
        const { status } = await visit(node, site.domains[0]!);
        expect.soft(status, `through ${node.name}`).toBe(greeting);
      }
      expect(await isThereOrAskedAgain(admin, site.id, to.id)).toBe(true);
    }).toPass({ timeout: 60_000, intervals: [100] });
  });

  await test.step('the page follows, and the receipt appears', async () => {
    await expect(whereDiagram(page)).toHaveAccessibleName(new RegExp(`^Live on ${to.name}\\.`));
    const happened = page.getByRole('listitem').filter({ hasText: `${site.title} moved to ${to.name}` });
    await expect(happened).toContainText('an administrator asked for it');
    await expect(happened).toContainText(/none failed|nothing failed/);
    await expect(page.getByRole('region', { name: `Moving to ${to.name}` })).toHaveCount(0);
    const [receipt] = await admin.receipts(site.id);
    expect(receipt?.move).toMatchObject({ reason: { asked: expect.anything() }, problem: null, http: { failed: 0 } });
    expect([receipt?.from.name, receipt?.to.name]).toEqual([from.name, to.name]);
  });

  await test.step('the receipt is among those of the cluster', async () => {
    await open(desk, '/moves');
    const row = desk.getByRole('row').filter({ hasText: site.title }).first();
    await expect(row).toContainText(`Live on ${to.name}`);
    await expect(row.getByRole('cell').nth(1)).toHaveText(from.name);
  });
  expect(complaints).toEqual([]);
  await theirs.close();
});

test('a node is drained, watched, and put back to use', async ({ page, customer, admin }) => {
  test.setTimeout(150_000);
  const site = await newSite(customer.api);
  const leaving = site.files.live_node!;
  await bringSession(page.context(), admin.token);

  await test.step('found by what one wants to do', async () => {
    await open(page, '/nodes');
    await page.keyboard.press('Control+K');
    await page.keyboard.type(`drain ${leaving.name}`);
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { name: `Drain ${leaving.name}?`, level: 1 })).toBeVisible();
  });

  await test.step('asked for, with a word for the others', async () => {
    await page.getByLabel('What for').fill('a new kernel');
    await page.getByRole('button', { name: `Drain ${leaving.name}` }).click();
    await expect(page.getByRole('heading', { name: new RegExp(`^Draining ${leaving.name}|${leaving.name} is drained`), level: 1 })).toBeVisible();
    await expect(page.getByText('a new kernel')).toBeVisible();
    await expect(page.getByRole('progressbar', { name: 'Moved' })).toBeVisible();
    await expect(page.getByText(/^(Done in about|Left to do)$/)).toBeVisible();
  });

  await test.step('it empties while one looks', async () => {
    await expect(page.getByRole('heading', { name: `${leaving.name} is drained`, level: 1 })).toBeVisible({ timeout: 90_000 });
    await expect(page.getByText(`${leaving.name} can be switched off`)).toBeVisible();
    await expect(page.getByText('All copies are whole on other nodes')).toBeVisible();
    const row = page.getByRole('row').filter({ hasText: site.title });
    await expect(row).toContainText('Live on ');
    const { live_sites, live_databases } = await nodeOf(admin, leaving.id);
    expect({ live_sites, live_databases }).toEqual({ live_sites: 0, live_databases: 0 });
    expect((await admin.site(site.id)).files.live_node?.id).not.toBe(leaving.id);
    await look(page, 'drain-done');
  });

  await test.step('with one node away, another can’t go: the numbers say why', async () => {
    const other = (await admin.nodes()).find((node) => node.id !== leaving.id)!;
    await open(page, `/nodes/${other.id}/drain`);
    await page.getByRole('button', { name: `Drain ${other.name}` }).click();
    await expect(page.getByRole('alert')).toContainText(/with too few copies: [1-9]\d*\. Add a node first, or allow fewer copies\./);
    await expect(page.getByLabel('Allow fewer copies')).toHaveAttribute('aria-invalid', 'true');
    expect((await nodeOf(admin, other.id)).drain).toBeNull();
  });

  await test.step('put back to use', async () => {
    await open(page, `/nodes/${leaving.id}/drain`);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.getByRole('button', { name: 'Put back to use' }).click();
    await expect(page.getByText('The node is back in use.')).toBeVisible();
    expect((await nodeOf(admin, leaving.id)).drain).toBeNull();
  });
});

test('rules of balancing: refused at their field, saved, and said in words', async ({ page, admin }) => {
  await bringSession(page.context(), admin.token);
  const rules = await admin.balancing();
  await open(page, '/balancing');
  const gap = page.getByLabel('The other node stays below by');
  await gap.fill('90');
  await page.getByRole('button', { name: 'Save' }).click();
  await expectRefusal(gap, `Choose a whole number from 1 to ${rules.busy_percent - 1}.`);
  expect(await admin.balancing()).toEqual(rules);

  await gap.fill('25');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
  await expect(page.getByText(`stays at ${rules.busy_percent - 25} % or less`)).toBeVisible();
  expect(await admin.balancing()).toEqual({ ...rules, gap_percent: 25 });
});

test('voters: who they are, and no living node is given up', async ({ page, admin }) => {
  await bringSession(page.context(), admin.token);
  await open(page, '/voters');
  await expect(page.getByText('Settings can be changed', { exact: true })).toBeVisible();
  await expect(page.getByText(/^Voters that answer: 3 of 3; needed: 2\. 1 more may fail\.$/)).toBeVisible();
  for (const node of cluster.nodes) {
    const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: node.name }) });
    await expect(row).toContainText('Votes');
  }
  await expect(page.getByRole('cell', { name: 'Votes, and orders the changes' })).toHaveCount(1);

  const [alive] = await admin.nodes();
  await open(page, `/voters/lost?node=${alive!.id}`);
  await expect(page.getByRole('alert')).toContainText(`${alive!.name} still answers. Only nodes that are gone can be given up.`);
  await expect(page.getByRole('button', { name: /^Give up/ })).toHaveCount(0);
});

/**
 * Whether the site is live where it is to go. A machine that is busy with other things may be too slow for
 * a move: it is called off, which costs no request, and an administrator asks again.
 */
async function isThereOrAskedAgain(admin: Api, site: number, to: number): Promise<boolean> {
  const { files, jobs } = await admin.site(site);
  if (files.live_node?.id === to) return true;
  if (jobs[0]?.outcome?.problem) await admin.call('POST', `/sites/${site}/move`, { node: to });
  return false;
}

async function nodeOf(admin: Api, id: number): Promise<NodeView> {
  return (await admin.nodes()).find((node) => node.id === id)!;
}

/** A site that is live and copied. */
async function newSite(api: Api): Promise<SiteView> {
  const { id } = await api.createSite(newDomain());
  await untilLive(api, id);
  await untilCopied(api, id);
  return api.site(id);
}
