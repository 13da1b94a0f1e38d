import { createElement } from "react";
import { openStorage } from "stowage";

export const dynamic = "force-dynamic";

export default async function Page() {
  const storage = openStorage({ env: {} });
  await storage.write("memory://bucket/page.gz", "a server component", { compression: "infer" });
  return createElement("p", null, await storage.text("memory://bucket/page.gz", { compression: "infer" }));
}
