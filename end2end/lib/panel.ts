// What people do on the panel, wherever they do it.

import { expect, type Locator, type Page } from '@playwright/test';
import type { Login } from './cluster';

/**
 * Opens a page of somebody who is signed in and waits until the browser has taken it over, which
 * ends in the connection for live updates: what is typed earlier would belong to the old page.
 */
export async function open(page: Page, path: string): Promise<void> {
  const takenOver = page.waitForEvent('websocket');
  await page.goto(path);
  await takenOver;
}

/** Signs in on the sign-in page, wherever it leads. */
export async function signIn(page: Page, { login, password }: Login): Promise<void> {
  if (!page.url().includes('/sign-in')) await page.goto('/sign-in');
  await page.getByLabel('User name').fill(login);
  await page.getByLabel('Password', { exact: true }).fill(password);
  const takenOver = page.waitForEvent('websocket');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await takenOver;
}

/** Signs out by the menu under the visitor's name. */
export async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: /language, theme, sign out$/ }).click();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await expect(page).toHaveURL(/\/sign-in/);
}

/** Creates a site on the page for it, and ends on the site's page. */
export async function createSite(page: Page, domain: string): Promise<number> {
  await page.getByLabel('Domain').fill(domain);
  await page.getByRole('button', { name: 'Create site' }).click();
  await expect(page).toHaveURL(/\/sites\/\d+(\?|$)/);
  return Number(/\/sites\/(\d+)/.exec(page.url())?.[1]);
}

/** The field says what is wrong with it, also to those who listen. */
export async function expectRefusal(field: Locator, message: string): Promise<void> {
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  // The hint below the field follows.
  const beginning = new RegExp(`^${message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);
  await expect(field).toHaveAccessibleDescription(beginning);
}

/** The drawing of where a site is; its name says it in a sentence. */
export function whereDiagram(page: Page): Locator {
  return page.getByRole('img', { name: /^Live on / });
}

/** The node that the panel shows a site live on; empty while it shows none. */
export async function shownLiveNode(page: Page): Promise<string> {
  const name = await page.locator('svg.where').getAttribute('aria-label');
  return /^Live on (\S+)\./.exec(name ?? '')?.[1] ?? '';
}

/** Presses Tab until this has the focus. */
export async function tabTo(page: Page, target: Locator): Promise<void> {
  const steps = 40;
  for (let step = 0; step < steps; step += 1) {
    await page.keyboard.press('Tab');
    if (await target.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`${target} has no focus after ${steps} steps`);
}
