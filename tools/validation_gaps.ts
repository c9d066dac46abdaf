/** Mechanisms that the models lack, by where it shows: the part of the validation page that no run can write. */

/** One gap. */
export interface Gap {
  readonly where: string;
  readonly missing: string;
}

/** All that are known. */
export const GAPS: readonly Gap[] = [
  {
    where: "Section 4.4, platforms",
    missing: "several systems on VMware or UML are not put together on one machine",
  },
  {
    where: "Section 4.4, losses under Xen",
    missing:
      "the paper compares with results reported earlier, taken here to be those of four systems of a kind. The disk hog waits for its disk and leaves its share of the CPUs to others, so that a web server that asks for all it can get has more than among three like it; interrupts of the disk cost the database a little",
  },
  {
    where: "Figure 4",
    missing:
      "one domain on two CPUs is 8 % behind the paper's, and two are not behind two servers on one Linux: the hypervisor's part of a packet, which Table 6 bounds, is too small beside a domain's own. Which pages fall on one colour of the cache is chance: 1 to 3 % by seed",
  },
  {
    where: "Figure 3, WEB99 on VMware",
    missing:
      "a request takes half as long as in the paper: packets cost here what Table 6 says, switches and faults what Tables 3 to 5 say, and all of it explains half of the 4.9 million cycles of a request. Documents are in memory; the paper's guest had less of it than its data set, and a disk that costs VMware much (OSDB-OLTP)",
  },
  {
    where: "Figure 3, OSDB-OLTP on VMware and UML",
    missing:
      "whether the paper's hosted systems brought each write to the host's disk is not said; here both do, as fsync does, and VMware's figure is 23 to 28 % too high by seed",
  },
  {
    where: "Figure 5, two databases, OLTP",
    missing:
      "each of a commit's writes interrupts one CPU by itself, at native Linux's price, which costs 7 % of two databases; how many answers the paper's controller gave in one interrupt is not known",
  },
  {
    where: "Figure 5, OLTP with unequal weights",
    missing:
      "weights count for less in the paper where databases sync all the time, and all together do a fifth less than with equal weights, here as much; here weights count for them as for those that compute. What the paper's scheduler, its disk queue and its controller did to each other is not known",
  },
  {
    where: "Section 4.5, delay of an idle domain",
    missing:
      "the paper does not say how often its authors asked; here about once a second, never twice within a round of all domains (0.34 s). Whoever was awake in a round waits for its end: an idle domain because of its own kupdated, every 5 s",
  },
  {
    where: "Servers for rent",
    missing:
      "a modelled kernel comes up at once: booting it and domain 0's work are not in the times",
  },
];
