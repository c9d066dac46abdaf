/** Names of virtual disks and their numbers. Source: `docs/man/xen-vbd-interface.7.pandoc` of Xen. */

/** Linux's major number of `xvd` devices, and from which disk on numbers have another form. */
const XVD_MAJOR = 202;
const EXTENDED = 1 << 28;
const EXTENDED_FROM = 16;
const LETTERS = 26;

/** The number of `xvda`, `xvdb2`, `xvdaa`, ...; throws `SyntaxError` for anything else. */
export function vdevNumber(name: string): number {
  const match = /^xvd([a-z]{1,2})(\d{0,3})$/.exec(name);
  const partition = Number(match?.[2] || 0);
  if (!match || partition > 255) {
    throw new SyntaxError(`expected a virtual disk like xvda or xvdb1, found "${name}"`);
  }
  const disk = [...match[1]].reduce(
    (value, letter) => value * LETTERS + letter.charCodeAt(0) - "a".charCodeAt(0) + 1,
    0,
  ) - 1;
  if (disk < EXTENDED_FROM && partition < 16) return (XVD_MAJOR << 8) | (disk << 4) | partition;
  return EXTENDED | (disk << 8) | partition;
}
