//! Any bytes in front of a connection: the same answer however many of them are there, and none that changes later. And any
//! bytes as a certificate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tideover_protocol::auth::CertificateNames;
use tideover_protocol::proxy_header::{Front, Version, read, write};

fuzz_target!(|data: &[u8]| {
    let _ = CertificateNames::read(data);
    let whole = read(data);
    if let Ok(Front::Header { len, client }) = whole {
        assert!(len <= data.len());
        assert_eq!(read(&data[..len]), whole);
        for cut in 0..len {
            assert_eq!(read(&data[..cut]), Ok(Front::Incomplete));
        }
        for version in [Version::V1, Version::V2] {
            if let Some(client) = client {
                let again = write(version, client);
                assert_eq!(read(&again), Ok(Front::Header { len: again.len(), client: Some(client) }));
            }
        }
    }
});
