/** Where back ends run that no driver domain is named for. */
export const BACK_ENDS_CHOICES = ["domain-0", "hypervisor"] as const;
/** One of {@link BACK_ENDS_CHOICES}. */
export type BackEndsChoice = typeof BACK_ENDS_CHOICES[number];
