import { uses } from "./uses.mjs";

console.log(JSON.stringify(await uses()));
