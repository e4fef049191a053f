// The panel without JavaScript: everything but live updates.

import { newDomain } from '../lib/names';
import { expectRefusal } from '../lib/panel';
import { expect, test } from '../lib/test';

test.use({ javaScriptEnabled: false });

test('sign in, create a site, see it, delete it, sign out', async ({ page, customer }) => {
  const domain = newDomain();
  const nobody = newDomain();

  await test.step('sign in, back to where one wanted to go', async () => {
    await page.goto('/sites/new');
    await expect(page).toHaveURL(/\/sign-in\?next=\/sites\/new/);
    await page.getByLabel('User name').fill(customer.login);
    await page.getByLabel('Password', { exact: true }).fill(customer.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page).toHaveURL(/\/sites\/new$/);
  });

  await test.step('a refusal stands at its field, and what was typed stays', async () => {
    await page.getByLabel('Domain').fill('shop..example');
    await page.getByRole('button', { name: 'Create site' }).click();
    const field = page.getByLabel('Domain');
    await expect(field).toHaveValue('shop..example');
    await expectRefusal(field, 'This is no domain. It should look like shop.example.');
  });

  await test.step('create a site', async () => {
    await page.getByLabel('Domain').fill(domain);
    await page.getByRole('button', { name: 'Create site' }).click();
    await expect(page).toHaveURL(/\/sites\/\d+/);
    await expect(page.getByRole('heading', { name: domain, level: 1 })).toBeVisible();
    await expect(page.getByText('The site is made. It becomes live within seconds.')).toBeVisible();
  });

  await test.step('see it live after loading the page again', async () => {
    await expect(async () => {
      await page.reload();
      await expect(page.getByRole('img', { name: /^Live on n\d\. Copy on n\d, / })).toBeVisible({ timeout: 1_000 });
    }).toPass({ timeout: 30_000, intervals: [500] });
    await page.getByRole('link', { name: 'All sites' }).click();
    await expect(page.getByRole('article', { name: domain })).toBeVisible();
  });

  await test.step('change to the table, to German, to dark, and back', async () => {
    await page.getByRole('link', { name: 'Table' }).click();
    await expect(page.getByRole('row').filter({ hasText: domain })).toBeVisible();
    await page.getByRole('button', { name: /language, theme, sign out$/ }).click();
    await page.getByRole('button', { name: 'Deutsch' }).click();
    await expect(page.locator('html')).toHaveAttribute('lang', 'de');
    await page.locator('button.who').click();
    await page.getByRole('button', { name: 'English' }).click();
    await expect(page.locator('html')).toHaveAttribute('lang', 'en');
    await page.locator('button.who').click();
    await page.getByRole('button', { name: 'Dark' }).click();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  });

  await test.step('delete it, not without repeating its domain', async () => {
    await page.getByRole('link', { name: domain }).first().click();
    await page.getByRole('link', { name: 'Delete…' }).click();
    await expect(page.getByRole('heading', { name: `Delete ${domain}?` })).toBeVisible();
    await page.getByLabel('To confirm, type').fill(nobody);
    await page.getByRole('button', { name: `Delete ${domain}` }).click();
    await expectRefusal(page.getByLabel('To confirm, type'), 'That is not its domain. Nothing was deleted.');
    expect(await customer.api.sites()).toHaveLength(1);
    await page.getByLabel('To confirm, type').fill(domain);
    await page.getByRole('button', { name: `Delete ${domain}` }).click();
    await expect(page.getByText('The site is deleted.')).toBeVisible();
    expect(await customer.api.sites()).toEqual([]);
  });

  await test.step('sign out', async () => {
    await page.locator('button.who').click();
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await expect(page).toHaveURL(/\/sign-in/);
    await page.goto('/sites');
    await expect(page).toHaveURL(/\/sign-in\?next=\/sites/);
  });
});
