/** Installs the runtimes of `package-lock.json` beside it, unless they are there. */
import { installBeside } from "../../support/install-beside.mjs";

export const setup = () => installBeside(import.meta.dirname);
