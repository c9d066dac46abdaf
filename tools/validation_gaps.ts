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
      "the paper compares with results reported earlier, taken here to be those of four systems of a kind; interrupts of the disk on the victims' CPU have no price",
  },
  {
    where: "Figure 4",
    missing:
      "the hypervisor's part of a request is too cheap and a domain's own too dear, so that one domain gains less from a second CPU than the paper's; points of a few seconds are lower than those of 60 s, in which connections lie closer together",
  },
  {
    where: "Figure 3, OSDB-OLTP on VMware and UML",
    missing:
      "whether the paper's hosted systems brought each write to the host's disk is not said; here both do, as fsync does, and VMware's figure is 23 to 27 % too high by seed",
  },
  {
    where: "Figure 5, OLTP with unequal weights",
    missing:
      "weights count for less in the paper where databases sync all the time, and all together do a fifth less than with equal weights; here weights count for them as for those that compute. What the paper's scheduler, its disk queue and its controller did to each other is not known",
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
