//! One JSON Web Key (RFC 7517 section 4): what it says about itself, and the key in it, checked as far as a public key
//! can be.

use p256::elliptic_curve::point::AffineCoordinates;
use rsa::BoxedUint;
use serde_json::Value;

use super::compact::decoded;
use super::key::Material;
use super::{Algorithm, roca};

/// Moduli below are within reach of factoring (RFC 7518 section 3.3); above, one verification takes too long.
const MODULUS_BITS: core::ops::RangeInclusive<usize> = 2048..=8192;

/// Largest public exponent: beyond, the exponent is only there to make verification slow.
const MAX_EXPONENT: u64 = 1 << 33;

/// Members of a JWK that hold private parts (RFC 7518 section 6, RFC 8037 section 2).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// What a JWK that may verify signatures says about itself.
pub(super) struct Label<'j> {
    pub kty: &'j str,
    pub kid: Option<String>,
    pub pinned: Option<Algorithm>,
}

impl<'j> Label<'j> {
    /// Reads what every JWK has in common (RFC 7517 section 4), or says why the key is not meant for this. Members the
    /// standard does not know are ignored; of a member that stands there twice, the last one counts.
    pub(super) fn of(jwk: &'j Value) -> Result<Self, String> {
        let kty = text(jwk, "kty")?.ok_or("it has no kty")?;
        if !matches!(text(jwk, "use")?, None | Some("sig")) {
            return Err("its use is not \"sig\"".to_owned());
        }
        if !may_verify(jwk.get("key_ops")) {
            return Err("its key_ops do not hold \"verify\"".to_owned());
        }
        let pinned = match text(jwk, "alg")? {
            None => None,
            Some(name) => Some(Algorithm::named(name).ok_or_else(|| format!("{} is not verified here", shown(name)))?),
        };
        Ok(Self { kty, kid: text(jwk, "kid")?.map(str::to_owned), pinned })
    }

    /// Whether a token could mean either key. Keys of different types may share a kid: they are alternatives.
    pub(super) fn means_the_same(&self, other: &Self) -> bool {
        self.kid.is_some()
            && self.kid == other.kid
            && self.kty == other.kty
            && (self.pinned.is_none() || other.pinned.is_none() || self.pinned == other.pinned)
    }

    /// The key itself, or why it is of no use.
    pub(super) fn material(&self, jwk: &Value) -> Result<Material, String> {
        if self.kty != "oct" && PRIVATE.iter().any(|name| jwk.get(name).is_some()) {
            return Err("it holds a private key".to_owned());
        }
        let material = match self.kty {
            "oct" => shared_secret(self.pinned, &bytes(jwk, "k")?)?,
            "RSA" => rsa_key(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
            "EC" => ec_key(jwk)?,
            "OKP" => ed25519_key(jwk)?,
            other => return Err(format!("{} is not a type of key known here", shown(other))),
        };
        if self.pinned.is_some_and(|algorithm| !material.fits(algorithm)) {
            return Err("its alg does not fit its type".to_owned());
        }
        Ok(material)
    }
}

/// `key_ops` is absent or holds `verify` (RFC 7517 section 4.3).
fn may_verify(key_ops: Option<&Value>) -> bool {
    match key_ops {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => false,
    }
}

/// A secret has to say what it is for: with RFC 7518 alone, one secret would do for three algorithms.
pub(super) fn shared_secret(algorithm: Option<Algorithm>, secret: &[u8]) -> Result<Material, String> {
    let least = algorithm.and_then(Algorithm::least_secret).ok_or("a secret needs HS256, HS384 or HS512 as its alg")?;
    if secret.len() < least {
        return Err(format!("the secret has {} bytes, its algorithm needs {least}", secret.len()));
    }
    Ok(Material::Secret(secret.into()))
}

/// RFC 7518 section 6.3.1: modulus and exponent, big-endian.
fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Result<Material, String> {
    // Some issuers write the sign byte of ASN.1 in front.
    let modulus = without_leading_zeros(modulus);
    let top = modulus.first().ok_or("its modulus is zero")?;
    let bits = modulus.len() * 8 - top.leading_zeros() as usize;
    if !MODULUS_BITS.contains(&bits) {
        let (least, most) = (MODULUS_BITS.start(), MODULUS_BITS.end());
        return Err(format!("its modulus has {bits} bits; {least} to {most} are allowed"));
    }
    let exponent = without_leading_zeros(exponent);
    let value = exponent.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    if exponent.len() > 8 || !(3..=MAX_EXPONENT).contains(&value) || value % 2 == 0 {
        return Err("its exponent is not an odd number from 3 to 2^33".to_owned());
    }
    if roca::has_fingerprint(modulus) {
        return Err("its modulus can be factored (CVE-2017-15361)".to_owned());
    }
    let modulus = BoxedUint::from_be_slice_vartime(modulus);
    let key = rsa::PublicKey::new_with_size_limits(modulus, BoxedUint::from(value), MODULUS_BITS);
    key.map(|key| Material::Rsa(Box::new(key))).map_err(|_| "its modulus is even".to_owned())
}

/// RFC 7518 section 6.2.1: coordinates exactly as long as the field, of a point on the curve.
fn ec_key(jwk: &Value) -> Result<Material, String> {
    let key = match text(jwk, "crv")?.ok_or("it has no crv")? {
        "P-256" => p256_key(coordinate(jwk, "x")?, coordinate(jwk, "y")?),
        "P-384" => p384_key(coordinate(jwk, "x")?, coordinate(jwk, "y")?),
        other => return Err(format!("{} is not a curve known here", shown(other))),
    };
    key.ok_or_else(|| "its point is not on the curve".to_owned())
}

// From coordinates rather than from the encoding of SEC 1: that one allows compressed points, whose square roots are
// a third of the code for these curves.

fn p256_key(x: [u8; 32], y: [u8; 32]) -> Option<Material> {
    let point = p256::AffinePoint::from_coordinates(&x.into(), &y.into()).into_option()?;
    p256::ecdsa::VerifyingKey::from_affine(point).ok().map(Material::P256)
}

fn p384_key(x: [u8; 48], y: [u8; 48]) -> Option<Material> {
    let point = p384::AffinePoint::from_coordinates(&x.into(), &y.into()).into_option()?;
    p384::ecdsa::VerifyingKey::from_affine(point).ok().map(Material::P384)
}

/// RFC 8037 section 2.
fn ed25519_key(jwk: &Value) -> Result<Material, String> {
    let curve = text(jwk, "crv")?.ok_or("it has no crv")?;
    if curve != "Ed25519" {
        return Err(format!("{} is not a curve known here", shown(curve)));
    }
    match ed25519_dalek::VerifyingKey::from_bytes(&coordinate(jwk, "x")?) {
        Ok(key) if !key.is_weak() => Ok(Material::Ed25519(key)),
        Ok(_) => Err("its point is of small order".to_owned()),
        Err(_) => Err("its point is not on the curve".to_owned()),
    }
}

fn coordinate<const N: usize>(jwk: &Value, name: &str) -> Result<[u8; N], String> {
    bytes(jwk, name)?.try_into().map_err(|_| format!("its {name} does not have {N} bytes"))
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A member that must be a string where it is there.
fn text<'v>(jwk: &'v Value, name: &str) -> Result<Option<&'v str>, String> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("its {name} is not a string")),
    }
}

/// A member that must be there, in base64url.
fn bytes(jwk: &Value, name: &str) -> Result<Vec<u8>, String> {
    let text = text(jwk, name)?.ok_or_else(|| format!("it has no {name}"))?;
    decoded(text).ok_or_else(|| format!("its {name} is not base64url"))
}

/// A declared type or algorithm as it goes into a reason: quoted, and not at any length.
fn shown(name: &str) -> String {
    let start: String = name.chars().take(32).collect();
    format!("{start:?}")
}
