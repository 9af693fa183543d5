//! PSKC documents: 50,000 encrypted keys as another program writes them, and the largest documents that are taken.

use std::path::Path;

use twofactor_tests::private_host::Host;

use crate::progress;
use crate::statistics::Sample;
use crate::tokens::vendor::Vendor;
use crate::tokens::{Plan, Site};

/// The most that is taken: elements, and iterations of PBKDF2.
const MOST_ELEMENTS: usize = 2_500_000;
const MOST_ITERATIONS: usize = 1_000_000;

/// Time and memory of an import of PSKC documents.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// Number of keys.
    pub(super) keys: usize,
    pub(super) encrypted: Sample,
    /// As many elements as are taken, and as many iterations; a dry run.
    pub(super) elements: Sample,
    pub(super) iterations: Sample,
    /// The most memory that the encrypted keys took, in KiB.
    pub(super) peak: u64,
}

impl Documents {
    pub(super) fn measure(host: &Host, vendor: &Vendor, disk: &Path, plan: Plan) -> Self {
        progress(&format!("making PSKC documents, {} keys encrypted by python3-pskc", plan.keys));
        let encrypted = vendor.encrypted_keys(host, "keys", plan.keys, 1_000);
        let iterations = vendor.encrypted_keys(host, "iterations", 3, MOST_ITERATIONS);
        let elements = vendor.elements("elements", MOST_ELEMENTS);
        let mut documents = Self { keys: plan.keys, ..Self::default() };
        let folder = disk.join("documents");
        for repetition in 1..=plan.repetitions {
            progress(&format!("importing PSKC documents, {repetition} of {}", plan.repetitions));
            let site = Site::make(host, &folder, 1);
            documents.elements.add(site.import(host, vendor, &elements, &["--dry-run"]).took);
            documents.iterations.add(site.import(host, vendor, &iterations, &["--dry-run"]).took);
            nix::unistd::sync();
            let lap = site.import(host, vendor, &encrypted, &[]);
            documents.encrypted.add(lap.took);
            documents.peak = documents.peak.max(lap.peak);
            std::fs::remove_dir_all(&folder).expect("a site can be removed");
        }
        documents
    }
}
