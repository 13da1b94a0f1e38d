// stowage over Node's own client, as for those who set a proxy; no proxy is named here.
import { open as openStowage } from "./stowage.mjs";

export const open = (target) => openStowage({ ...target, env: { NODE_USE_ENV_PROXY: "1" } });
