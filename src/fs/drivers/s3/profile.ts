import type { S3Provider } from "./connection.js";

/** How an S3-compatible service differs. */
export interface Profile {
  /** Sends CRC32 with writes and requests it with reads. Older services refuse or misread its headers. */
  readonly checksums: boolean;
  /** All parts but the last must have the same size. */
  readonly uniformParts: boolean;
  /** Has DeleteObjects. */
  readonly bulkDelete: boolean;
  /** Enforces `If-None-Match: *` and `If-Match` on PutObject. */
  readonly conditionalPut: boolean;
  /** Enforces them on CompleteMultipartUpload. */
  readonly conditionalCommit: boolean;
  /** The etag of a single-request object is the MD5 of its data, unless KMS or a customer's key is used. */
  readonly md5Etags: boolean;
}

const MODERN: Profile = {
  checksums: true,
  uniformParts: false,
  bulkDelete: true,
  conditionalPut: true,
  conditionalCommit: true,
  md5Etags: true,
};

/** AWS itself, whose profile is also its identity. */
export const AMAZON: Profile = { ...MODERN };

/** The features of every service. */
const LEAST: Profile = {
  checksums: false,
  uniformParts: false,
  bulkDelete: false,
  conditionalPut: false,
  conditionalCommit: false,
  md5Etags: false,
};

/**
 * Sources: AWS's API reference; MinIO by test; R2's compatibility table
 * (https://developers.cloudflare.com/r2/api/s3/api/), Ceph's (https://docs.ceph.com/en/latest/radosgw/s3/) and B2's
 * (https://www.backblaze.com/docs/cloud-storage-s3-compatible-api). A feature that a service does not promise counts as
 * missing. SeaweedFS, `rclone serve s3` and older versions of VersityGW check first and write then, if they support
 * conditions at all: of two concurrent writers both may win. VersityGW 1.8.0 enforced conditions in tests, but not with
 * `--sidecar`, where reads mix old and new data.
 */
export const profiles: Readonly<Record<S3Provider, Profile>> = {
  aws: AMAZON,
  minio: MODERN,
  r2: { ...MODERN, checksums: false, uniformParts: true, conditionalCommit: false },
  ceph: { ...MODERN, checksums: false, conditionalCommit: false },
  b2: { ...MODERN, checksums: false, conditionalPut: false, conditionalCommit: false },
  versitygw: { ...LEAST, bulkDelete: true, md5Etags: true },
  seaweedfs: { ...LEAST, bulkDelete: true },
  rclone: { ...LEAST, bulkDelete: true },
  generic: LEAST,
};
