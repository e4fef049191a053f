// Names that no test and no earlier run has used, so that tests can run again on the same cluster.

import { randomBytes } from 'node:crypto';

// Six digits of base 36 come round after 25 days.
const run = Date.now().toString(36).slice(-6);
let count = 0;

function unique(): string {
  count += 1;
  return `${run}-${count}`;
}

/** A domain, such as `shop-va9m9k-1.example`. */
export function newDomain(word = 'shop'): string {
  return `${word}-${unique()}.example`;
}

/** A login name. */
export function newLogin(): string {
  return `customer-${unique()}`;
}

/** A password that nobody guesses. */
export function newPassword(): string {
  return randomBytes(12).toString('base64url');
}
