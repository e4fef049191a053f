// Names that no test and no earlier run has used, so that tests can run again on the same cluster.

import { randomBytes } from 'node:crypto';

const run = Date.now().toString(36);
let count = 0;

function unique(): string {
  count += 1;
  return `${run}-${process.pid.toString(36)}-${count}`;
}

/** A domain, such as `shop-mb2x-1.example`. */
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
