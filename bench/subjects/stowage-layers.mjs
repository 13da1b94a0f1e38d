// The same backend with layers around it: what they cost those who use them, and nobody else.
import { openStorage, XComObjectStorageBackend } from "../../dist/index.js";
import { replicate, routeXComs, withRetention } from "../../dist/xcom.js";

export async function open({ base }) {
  const storage = openStorage({ env: {} });
  const at = (path) => new XComObjectStorageBackend({ storage, path, threshold: 0 });
  const twice = ({ key }) => replicate({ targets: [at(`${base}/${key}`), at(`${base}-2/${key}`)] });
  const kept = withRetention({ path: `${base}/one`, rules: [{ class: "short", dag: "bench" }], backend: twice });
  const xcom = routeXComs({ backends: { kept, other: at(`${base}/two`) }, route: () => "kept" });
  return {
    async xcom(key, value) {
      const owner = { dagId: "bench", runId: key, taskId: "task" };
      await xcom.loadValue(await xcom.storeValue(owner, "return_value", value), { owner });
    },
    close: () => storage.close(),
  };
}
