// How a page looks: photographed and judged at every size, in both themes.

import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

const SIZES = [
  { width: 1280, height: 900 },
  { width: 360, height: 740 },
];
const THEMES = ['light', 'dark'] as const;
/** WCAG 2.0 to 2.2, levels A and AA. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa'];
const SHOTS = 'results/shots';

/** Photographs the page as `NAME-WIDTH-THEME.png` and judges it, four times. */
export async function look(page: Page, name: string): Promise<void> {
  for (const size of SIZES) {
    for (const colorScheme of THEMES) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await photograph(page, `${name}-${size.width}-${colorScheme}`);
      await expectNothingSideways(page);
      await expectAccessible(page);
    }
  }
}

export async function photograph(page: Page, name: string): Promise<void> {
  // Letters in a font that is still on its way are measured and drawn wrong.
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

export async function expectAccessible(page: Page): Promise<void> {
  // "Legacy" only means that frames are left out, which the panel has none of, at half the time.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).withTags(RULES).analyze();
  const found = violations.map(({ id, help, nodes }) => ({
    rule: id,
    help,
    where: nodes.map(({ target, failureSummary }) => `${target.join(' ')}: ${failureSummary}`),
  }));
  // Soft: one run shows what is wrong on all pages.
  expect.soft(found, `what axe found on ${page.url()}`).toEqual([]);
}

/** Nothing but what scrolls by itself is wider than the window. */
export async function expectNothingSideways(page: Page): Promise<void> {
  const { needed, offered } = await page.evaluate(() => ({
    needed: document.documentElement.scrollWidth,
    offered: document.documentElement.clientWidth,
  }));
  expect.soft(needed, `width of ${page.url()}`).toBeLessThanOrEqual(offered);
}
