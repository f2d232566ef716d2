use crate::wire::{DecodeError, Reader};

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
/// `[0]` around a certificate's version.
const VERSION: u8 = 0xa0;

/// Short names of what a distinguished name is made of, by the content of their object identifiers.
const NAMES: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "street"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 13], "description"),
    (&[0x55, 4, 17], "postalCode"),
    (&[0x55, 4, 41], "name"),
    (&[0x55, 4, 42], "GN"),
    (&[0x55, 4, 43], "initials"),
    (&[0x55, 4, 44], "generationQualifier"),
    (&[0x55, 4, 46], "dnQualifier"),
    (&[0x55, 4, 65], "pseudonym"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "emailAddress"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
];

/// Who a certificate is about and who issued it, written as the servers write them for `REQUIRE SUBJECT` and `REQUIRE
/// ISSUER`: as OpenSSL's `X509_NAME_oneline`, `/C=SE/O=Shop/CN=app`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
}

impl CertificateNames {
    /// Reads them from a certificate in DER, whose signature somebody else has checked.
    ///
    /// # Errors
    /// [`DecodeError`] for what is no certificate.
    pub fn read(der: &[u8]) -> Result<Self, DecodeError> {
        let certificate = inside(&mut Reader::new(der), SEQUENCE)?;
        let mut fields = Reader::new(inside(&mut Reader::new(certificate), SEQUENCE)?);
        if fields.rest().first() == Some(&VERSION) {
            value(&mut fields)?;
        }
        // Serial number, algorithm of the signature.
        value(&mut fields)?;
        value(&mut fields)?;
        let issuer = one_line(inside(&mut fields, SEQUENCE)?)?;
        // Validity.
        value(&mut fields)?;
        let subject = one_line(inside(&mut fields, SEQUENCE)?)?;
        Ok(Self { subject, issuer })
    }
}

/// Tag and content of the next value.
fn value<'a>(reader: &mut Reader<'a>) -> Result<(u8, &'a [u8]), DecodeError> {
    let tag = reader.u8()?;
    let length = match reader.u8()? {
        short @ 0..=0x7f => usize::from(short),
        // Four bytes of length are more than any certificate has.
        long @ 0x81..=0x84 => reader
            .bytes(usize::from(long & 0x7f))?
            .iter()
            .fold(0, |length: usize, byte| (length << 8) | usize::from(*byte)),
        _ => return Err(DecodeError::Invalid("a length of DER that is not definite")),
    };
    Ok((tag, reader.bytes(length)?))
}

fn inside<'a>(reader: &mut Reader<'a>, due: u8) -> Result<&'a [u8], DecodeError> {
    match value(reader)? {
        (tag, content) if tag == due => Ok(content),
        _ => Err(DecodeError::Invalid("a certificate with a field out of place")),
    }
}

/// A name: sets of pairs of object identifier and text.
fn one_line(name: &[u8]) -> Result<String, DecodeError> {
    let mut line = String::new();
    let mut sets = Reader::new(name);
    while !sets.is_empty() {
        let mut pairs = Reader::new(inside(&mut sets, SET)?);
        while !pairs.is_empty() {
            let mut pair = Reader::new(inside(&mut pairs, SEQUENCE)?);
            let object = inside(&mut pair, OBJECT)?;
            let (_, text) = value(&mut pair)?;
            line.push('/');
            match NAMES.iter().find(|(known, _)| *known == object) {
                Some((_, name)) => line.push_str(name),
                None => line.push_str(&dotted(object)),
            }
            line.push('=');
            for byte in text {
                match byte {
                    b' '..=b'~' => line.push(char::from(*byte)),
                    other => line.push_str(&format!("\\x{other:02X}")),
                }
            }
        }
    }
    Ok(line)
}

/// An object identifier in numbers.
fn dotted(content: &[u8]) -> String {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0_u64;
    for byte in content {
        arc = arc.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(arc);
            arc = 0;
        }
    }
    // The first two stand in one number.
    if let Some(first) = arcs.first_mut() {
        let root = (*first / 40).min(2);
        *first -= root * 40;
        arcs.insert(0, root);
    }
    arcs.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of DER.
    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head = match u8::try_from(length) {
            Ok(short @ 0..=0x7f) => vec![tag, short],
            Ok(long) => vec![tag, 0x81, long],
            Err(_) => vec![tag, 0x82, (length >> 8) as u8, (length & 0xff) as u8],
        };
        [head, content.to_vec()].concat()
    }

    fn name(parts: &[(&[u8], &str)]) -> Vec<u8> {
        let pair = |(object, text): &(&[u8], &str)| {
            der(SET, &der(SEQUENCE, &[der(OBJECT, object), der(0x0c, text.as_bytes())].concat()))
        };
        der(SEQUENCE, &parts.iter().flat_map(pair).collect::<Vec<_>>())
    }

    fn certificate(issuer: &[u8], subject: &[u8], version: bool) -> Vec<u8> {
        let version = if version { der(VERSION, &der(2, &[2])) } else { Vec::new() };
        let rest = [der(2, &[1, 2, 3]), der(SEQUENCE, &der(OBJECT, &[0x2a, 3])), issuer.to_vec()].concat();
        let validity = der(SEQUENCE, &[0x17, 0]);
        let fields = [version, rest, validity, subject.to_vec(), der(SEQUENCE, &[7; 300])].concat();
        der(SEQUENCE, &[der(SEQUENCE, &fields), der(SEQUENCE, &[]), der(3, &[0])].concat())
    }

    #[test]
    fn names_in_one_line() {
        let issuer = name(&[(&[0x55, 4, 6], "SE"), (&[0x55, 4, 10], "Shop/Ltd"), (&[0x55, 4, 3], "the CA")]);
        let subject = name(&[(&[0x55, 4, 3], "b\u{e4}r"), (&[0x2a, 0x86, 0x48, 0x01], "x")]);
        for version in [true, false] {
            let names = CertificateNames::read(&certificate(&issuer, &subject, version)).unwrap();
            assert_eq!(names.issuer, "/C=SE/O=Shop/Ltd/CN=the CA");
            assert_eq!(names.subject, "/CN=b\\xC3\\xA4r/1.2.840.1=x");
        }
        let whole = certificate(&issuer, &subject, true);
        for cut in 0..whole.len() {
            assert!(CertificateNames::read(&whole[..cut]).is_err());
        }
    }

    #[test]
    fn numbers() {
        for (content, text) in
            [(&[0x2a, 0x86, 0x48][..], "1.2.840"), (&[0x88, 0x37, 3], "2.999.3"), (&[], "")]
        {
            assert_eq!(dotted(content), text);
        }
    }
}
