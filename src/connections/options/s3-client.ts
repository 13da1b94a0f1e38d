/** `config_kwargs`: the settings of botocore's Config, as far as they say something about S3 transfers. */
import type { FieldReader } from "./fields.js";

const CHECKSUMS = ["when_supported", "when_required"] as const;

export interface S3ClientConfig {
  /** Unsigned requests were asked for. */
  readonly anonymous: boolean;
  readonly region: string | undefined;
  readonly addressing: "path" | "virtual" | undefined;
  readonly transfer: S3Transfer;
}

/** How requests are sent; undefined leaves it to the driver. */
export interface S3Transfer {
  /** Tries of one request, the first included. */
  readonly attempts: number | undefined;
  /** Milliseconds. */
  readonly connectTimeout: number | undefined;
  /** Milliseconds without a byte. */
  readonly readTimeout: number | undefined;
  /** Sockets open at the same time. */
  readonly connections: number | undefined;
  readonly requestChecksum: (typeof CHECKSUMS)[number] | undefined;
  readonly responseChecksum: (typeof CHECKSUMS)[number] | undefined;
}

/** What has no meaning here, and why. */
const IGNORED = {
  user_agent: "says who asks, not what",
  user_agent_extra: "says who asks, not what",
  user_agent_appid: "says who asks, not what",
  parameter_validation: "always on",
  tcp_keepalive: "always on",
  inject_host_prefix: "S3 has no host prefixes",
  endpoint_discovery_enabled: "S3 has no endpoint discovery",
  disable_request_compression: "requests are never compressed",
  request_min_compression_size_bytes: "requests are never compressed",
  ignore_configured_endpoint_urls: "the endpoint is in the connection",
  defaults_mode: "the defaults are stowage's own",
};

const UNSUPPORTED = {
  proxies: "is not read; proxies are Node's: set HTTPS_PROXY and NODE_USE_ENV_PROXY=1",
  proxies_config: "is not read; proxies are Node's: set HTTPS_PROXY and NODE_USE_ENV_PROXY=1",
  client_cert: "is not supported",
  use_dualstack_endpoint: "is not supported; write the dual-stack address into endpoint_url",
  use_fips_endpoint: "is not supported; write the FIPS address into endpoint_url",
  sigv4a_signing_region_set: "is not supported: requests are signed with SigV4",
  client_context_params: "is not supported",
};

export function readClientConfig(config: FieldReader): S3ClientConfig {
  const s3 = config.object("s3");
  const style = s3.oneOf("addressing_style", ["path", "virtual", "auto"]);
  s3.unsupported("use_accelerate_endpoint", "is not supported");
  s3.ignore(["payload_signing_enabled", "us_east_1_regional_endpoint"]);
  s3.done();
  const found = {
    anonymous: isUnsigned(config),
    region: config.text("region_name"),
    addressing: style === "auto" ? undefined : style,
    transfer: readTransfer(config),
  };
  for (const [name, why] of Object.entries(UNSUPPORTED)) config.unsupported(name, why);
  config.ignore(Object.keys(IGNORED));
  config.done();
  return found;
}

function isUnsigned(config: FieldReader): boolean {
  const version = config.text("signature_version");
  if (version !== undefined && !/^(unsigned|v4|s3v4|s3v4-query)$/.test(version)) {
    throw config.wrong("signature_version", "must be s3v4 or unsigned", "Unsupported");
  }
  return version === "unsigned";
}

function readTransfer(config: FieldReader): S3Transfer {
  return {
    attempts: readAttempts(config.object("retries")),
    connectTimeout: milliseconds(config.number("connect_timeout")),
    readTimeout: milliseconds(config.number("read_timeout")),
    connections: config.integer("max_pool_connections", 1),
    requestChecksum: config.oneOf("request_checksum_calculation", CHECKSUMS),
    responseChecksum: config.oneOf("response_checksum_validation", CHECKSUMS),
  };
}

/** botocore's `max_attempts` counts without the first try, `total_max_attempts` with it, and wins. */
function readAttempts(retries: FieldReader): number | undefined {
  const total = retries.integer("total_max_attempts", 1);
  const more = retries.integer("max_attempts");
  retries.oneOf("mode", ["legacy", "standard", "adaptive"]);
  retries.done();
  return total ?? (more === undefined ? undefined : more + 1);
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 1000);
}
