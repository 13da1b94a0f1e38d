import { dirname } from "node:path";

// The packages of this test are one folder up; a project of its own needs no configuration.
export default { turbopack: { root: dirname(import.meta.dirname) } };
