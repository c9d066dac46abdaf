/** Names of virtual disks and their numbers. Source: `docs/man/xen-vbd-interface.7.pandoc` of Xen. */

/** Linux's major numbers of `xvd`, `sd` and `hd` devices, and from which disk on `xvd` numbers have another form. */
const XVD_MAJOR = 202;
const SD_MAJOR = 8;
const HD_MAJORS = [3, 22];
const EXTENDED = 1 << 28;
const EXTENDED_FROM = 16;
const LETTERS = 26;

/** The number of `xvda`, `xvdb2`, `xvdaa`, `sda1`, `hdc`, ...; throws `SyntaxError` for anything else. */
export function vdevNumber(name: string): number {
  const match = /^(?:xvd([a-z]{1,2})(\d{0,3})|sd([a-p])(\d{0,2})|hd([a-d])(\d{0,2}))$/.exec(name);
  const [, xvd, xvdPart, sd, sdPart, hd, hdPart] = match ?? [];
  const partition = Number(xvdPart || sdPart || hdPart || 0);
  if (!match || partition > (xvd ? 255 : sd ? 15 : 63)) {
    throw new SyntaxError(`expected a virtual disk like xvda or xvdb1, found "${name}"`);
  }
  const letter = (text: string) => text.charCodeAt(0) - "a".charCodeAt(0);
  if (sd) return (SD_MAJOR << 8) | (letter(sd) << 4) | partition;
  if (hd) return (HD_MAJORS[letter(hd) >> 1] << 8) | ((letter(hd) & 1) << 6) | partition;
  const disk = [...xvd].reduce(
    (value, each) => value * LETTERS + letter(each) + 1,
    0,
  ) - 1;
  if (disk < EXTENDED_FROM && partition < 16) return (XVD_MAJOR << 8) | (disk << 4) | partition;
  return EXTENDED | (disk << 8) | partition;
}
