// What people get wrong: each refusal is clear, stands at its field, and leaves nothing half-made.

import type { Page } from '@playwright/test';
import { untilEnded, untilInstalled, untilLive } from '../lib/api';
import { cluster } from '../lib/cluster';
import { visit } from '../lib/lab';
import { newDomain, newLogin, newPassword } from '../lib/names';
import { createSite, expectRefusal, open, signIn } from '../lib/panel';
import { bringSession, expect, test, type Customer } from '../lib/test';

// A refusal is an HTTP status, and the browser notes each of them.
test.use({ expectedComplaints: /Failed to load resource: the server responded with a status of 4\d\d/ });

test.describe('signing in', () => {
  test('a wrong password is refused and what was typed stays', async ({ page, customer }) => {
    await page.goto('/sites');
    await page.getByLabel('User name').fill(customer.login);
    await page.getByLabel('Password', { exact: true }).fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toHaveText('User name and password don’t belong together.');
    await expect(page).toHaveURL(/\/sign-in/);
    await expect(page.getByLabel('User name')).toHaveValue(customer.login);
    await signIn(page, customer);
    await expect(page.getByRole('heading', { name: 'My sites' })).toBeVisible();
  });

  test('an unknown user name is refused like a wrong password', async ({ page }) => {
    await page.goto('/sign-in');
    await page.getByLabel('User name').fill(newLogin());
    await page.getByLabel('Password', { exact: true }).fill(newPassword());
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toHaveText('User name and password don’t belong together.');
  });

  test('a forged session leads to the sign-in page', async ({ page, context, customer }) => {
    const { token } = customer.api;
    const middle = Math.floor(token.length / 2);
    const other = token[middle] === 'A' ? 'B' : 'A';
    const forged = [`${token.slice(0, middle)}${other}${token.slice(middle + 1)}`, 'forged', 'a'.repeat(4000)];
    for (const session of forged) {
      await bringSession(context, session);
      await page.goto('/sites');
      await expect(page).toHaveURL(/\/sign-in\?next=\/sites&reason=expired/);
      await expect(page.getByRole('status')).toHaveText('Your session is over. Sign in again to go on where you were.');
    }
  });

  test('a session that ended elsewhere leads to the sign-in page, and back', async ({ page, signedIn }) => {
    await open(page, '/sites/new');
    expect((await signedIn.api.call('DELETE', '/session')).status()).toBe(200);
    // The open page hears of it by itself.
    await expect(page).toHaveURL(/\/sign-in\?next=\/sites\/new&reason=expired/);
    await expect(page.getByRole('status')).toHaveText('Your session is over. Sign in again to go on where you were.');
    await signIn(page, signedIn);
    await expect(page).toHaveURL(/\/sites\/new$/);
  });
});

test.describe('creating a site', () => {
  const long = `${'a.'.repeat(123)}example1`;
  const refused: [what: string, domain: string, why: string][] = [
    ['254 characters', long, 'At most 253 characters fit here.'],
    ['nothing but dots', '..', 'This is no domain. It should look like shop.example.'],
    ['two dots in a row', 'shop..example', 'This is no domain. It should look like shop.example.'],
    ['a single word', 'shop', 'This is no domain. It should look like shop.example.'],
    ['an address', '192.0.2.7', 'This is no domain. It should look like shop.example.'],
    ['a space inside', 'my shop.example', 'A space or line break can’t stand here.'],
    ['an underscore', 'my_shop.example', '_ can’t stand here.'],
    ['a shell’s words', '$(id).example', '$ can’t stand here.'],
  ];

  test('what is no domain is refused at its field', async ({ page, signedIn }) => {
    expect(long).toHaveLength(254);
    await open(page, '/sites/new');
    const domain = page.getByLabel('Domain');
    for (const [what, typed, why] of refused) {
      await test.step(what, async () => {
        await domain.fill(typed);
        await page.getByRole('button', { name: 'Create site' }).click();
        await expectRefusal(domain, why);
        await expect(domain).toHaveValue(typed);
      });
    }
    expect(await signedIn.api.sites()).toEqual([]);
  });

  test('no domain at all is asked for before anything is sent', async ({ page, signedIn }) => {
    await open(page, '/sites/new');
    await page.getByRole('button', { name: 'Create site' }).click();
    const domain = page.getByLabel('Domain');
    await expect(domain).toBeFocused();
    expect(await domain.evaluate((field: HTMLInputElement) => field.validity.valueMissing)).toBe(true);
    const problem = await signedIn.api.refused('POST', '/sites', { domain: '' }, 422);
    expect(problem).toMatchObject({ code: 'domain-invalid', field: 'domain', message: 'The domain is empty.' });
    expect(await signedIn.api.sites()).toEqual([]);
  });

  test('a line break, which no field takes, is refused by the API', async ({ signedIn }) => {
    for (const domain of ['shop.example\n', 'shop\nServerAlias evil.example', 'shop.example\r\n']) {
      const problem = await signedIn.api.refused('POST', '/sites', { domain }, 422);
      expect(problem).toMatchObject({ code: 'domain-invalid', field: 'domain' });
      expect(problem.message).toContain('contains a line break');
    }
    expect(await signedIn.api.sites()).toEqual([]);
  });

  test('a domain with letters beyond ASCII shows its name in DNS', async ({ page, signedIn }) => {
    const typed = newDomain('bücher');
    const punycode = new URL(`https://${typed}/`).hostname;
    expect(punycode).toMatch(/^xn--bcher-/);
    await open(page, '/sites/new');
    await page.getByLabel('Domain').pressSequentially(typed);
    await expect(page.getByText(`In DNS this is ${punycode}`)).toBeVisible();
    const id = await createSite(page, typed);
    await expect(page.getByRole('heading', { name: typed, level: 1 })).toBeVisible();
    await expect(page.getByRole('listitem').filter({ hasText: punycode })).toBeVisible();
    expect((await signedIn.api.site(id)).domains).toEqual([punycode]);
  });

  test('a domain that a site has already is refused, whoever has it', async ({ page, signedIn, admin }) => {
    const mine = newDomain();
    const others = newDomain();
    await signedIn.api.createSite(mine);
    const foreign = await admin.createSite(others);
    const before = await names(signedIn);
    await open(page, '/sites/new');
    // In this order each refusal differs from the one before it, which is still shown.
    for (const taken of [others, mine, others.toUpperCase()]) {
      await page.getByLabel('Domain').fill(taken);
      await page.getByRole('button', { name: 'Create site' }).click();
      await expectRefusal(page.getByLabel('Domain'), `${taken.toLowerCase()} belongs to a site already.`);
    }
    expect(await names(signedIn)).toEqual(before);
    await admin.deleteSite(foreign);
  });

  test.describe('at the limit', () => {
    test.use({ limits: { sites: 1, databases: 1 } });

    test('one more site than the account may have is refused', async ({ page, signedIn }) => {
      await open(page, '/sites/new');
      await createSite(page, newDomain());
      const before = await names(signedIn);
      await open(page, '/sites/new');
      await page.getByLabel('Domain').fill(newDomain());
      await page.getByRole('button', { name: 'Create site' }).click();
      await expect(page.getByRole('main')).toContainText('Your account has as many sites as it may: 1. Delete one, or ask for a higher limit.');
      await expect(page).toHaveURL(/\/sites\/new/);
      expect(await names(signedIn)).toEqual(before);
    });
  });
});

test.describe('installing an app', () => {
  const author = { admin_login: 'ada', admin_email: 'ada@customer.example' };

  test('an unknown app is refused', async ({ page, signedIn }) => {
    const site = await signedIn.api.createSite(newDomain());
    await untilLive(signedIn.api, site.id);
    const answer = await page.goto(`/sites/${site.id}/apps/nosuch`);
    expect(answer?.status()).toBe(404);
    await expect(page.getByRole('alert')).toHaveText('There is no such app in the catalogue.');
    const body = { app: 'nosuch', title: 'x', admin_password: newPassword(), ...author };
    const problem = await signedIn.api.refused('POST', `/sites/${site.id}/apps`, body, 404);
    expect(problem).toMatchObject({ code: 'unknown-app', field: 'app' });
    const after = await signedIn.api.site(site.id);
    expect(after.jobs).toEqual([]);
    expect(after.databases).toEqual([]);
  });

  test('a site with files in it is replaced only when that was confirmed', async ({ page, signedIn }) => {
    test.setTimeout(240_000);
    const { api } = signedIn;
    const { id, domains } = await api.createSite(newDomain());
    await untilLive(api, id);
    const order = { app: 'wordpress', title: 'The first', admin_password: newPassword(), ...author };
    await untilInstalled(api, (await api.installApp(id, order)).id);
    const before = await api.site(id);

    await test.step('not without a word, by the API', async () => {
      const answer = await api.call('POST', `/sites/${id}/apps`, { ...order, title: 'The second' });
      // Refused at once, or by the job that looks into the site.
      const problem = answer.ok() ? (await untilEnded(api, (await answer.json()).id)).outcome?.problem : await answer.json();
      expect(problem).toMatchObject({ code: 'site-not-empty' });
      await expect.poll(async () => (await api.site(id)).databases.map(({ name }) => name)).toEqual(
        before.databases.map(({ name }) => name),
      );
      expect((await visit(cluster.nodes[0]!, domains[0]!)).body).toContain('<title>The first');
    });

    await test.step('not without the box ticked, in the panel', async () => {
      await open(page, `/sites/${id}/apps/wordpress`);
      await fillInstallForm(page, 'The third');
      await page.getByRole('button', { name: 'Install WordPress' }).click();
      const box = page.getByRole('checkbox', { name: /^Replace what is there/ });
      expect(await box.evaluate((field: HTMLInputElement) => field.validity.valueMissing)).toBe(true);
      await expect(page).toHaveURL(/\/apps\/wordpress$/);
    });

    await test.step('with the box ticked', async () => {
      await page.getByRole('checkbox', { name: /^Replace what is there/ }).check();
      await page.getByRole('button', { name: 'Install WordPress' }).click();
      await expect(page.getByRole('heading', { name: 'WordPress is ready', level: 1 })).toBeVisible({ timeout: 120_000 });
      expect((await visit(cluster.nodes[0]!, domains[0]!)).body).toContain('<title>The third');
    });
  });

  test('a password that is too short is refused at its field', async ({ signedIn }) => {
    const site = await signedIn.api.createSite(newDomain());
    await untilLive(signedIn.api, site.id);
    const body = { app: 'wordpress', title: 'x', admin_password: 'short', ...author };
    const problem = await signedIn.api.refused('POST', `/sites/${site.id}/apps`, body, 422);
    expect(problem).toMatchObject({ field: 'admin_password' });
    expect((await signedIn.api.site(site.id)).jobs).toEqual([]);
  });
});

async function fillInstallForm(page: Page, title: string): Promise<void> {
  await page.getByLabel('Site title').fill(title);
  await page.getByLabel('Administrator name').fill('ada');
  await page.getByLabel('Administrator password').fill(newPassword());
}

async function names(customer: Customer): Promise<string[]> {
  return (await customer.api.sites()).flatMap((site) => site.domains);
}
