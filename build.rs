//! Notes when the program is built: the earliest moment any clock may show (`docs/time.md`).
//! `SOURCE_DATE_EPOCH` is honoured, so that builds can be reproduced.

#![allow(clippy::disallowed_methods)] // a build happens now

fn main() {
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |d| d.as_secs()).to_string()
    };
    let built = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| now());
    println!("cargo:rustc-env=LOAXA_BUILT_S={built}");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.toml");
}
