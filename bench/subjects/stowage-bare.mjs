// stowage's transport alone: streams over one connection without checksums of what is read, as the peers have them.
import { openStorage } from "../../dist/index.js";

export function open({ base, connection }) {
  const { extra } = connection;
  const settings = { ...extra.config_kwargs, response_checksum_validation: "when_required" };
  const it = { ...connection, extra: { ...extra, config_kwargs: settings } };
  const storage = openStorage({ env: {}, connections: { it } });
  return {
    read: (key) => storage.read(`${base}/${key}`, { compression: null, parallel: 1 }),
    close: () => storage.close(),
  };
}
