/** The file that every page loads; the islands begin there. */
export const CLIENT_SCRIPT = "client.js";
