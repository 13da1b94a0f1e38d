/** Which provider a scheme belongs to. The aliases are those of Airflow's providers and of fsspec. */
export type Provider = "s3" | "gs" | "azure" | "file" | "memory";

const PROVIDERS: ReadonlyMap<string, Provider> = new Map([
  ["s3", "s3"],
  ["s3a", "s3"],
  ["gs", "gs"],
  ["gcs", "gs"],
  ["abfs", "azure"],
  ["abfss", "azure"],
  ["az", "azure"],
  ["azblob", "azure"],
  ["wasb", "azure"],
  ["wasbs", "azure"],
  ["file", "file"],
  ["local", "file"],
  ["memory", "memory"],
]);

/** The provider behind a lower-case scheme; undefined when it is none of ours, as a user's own driver is. */
export function providerOf(scheme: string): Provider | undefined {
  return PROVIDERS.get(scheme);
}

/** The schemes of a provider, the one that stock Airflow opens first. */
export function schemesOf(provider: Provider): string[] {
  return [...PROVIDERS].filter(([, owner]) => owner === provider).map(([scheme]) => scheme);
}
