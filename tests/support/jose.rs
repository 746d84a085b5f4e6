//! Keys to sign test tokens with, and the signing. The keys stand in `tests/golden/jose/keys.json` for everybody to
//! see: they protect nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use hmac::{Hmac, KeyInit, Mac};
use rsa::BoxedUint;
use rsa::rand_core::{Infallible, TryCryptoRng, TryRng};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A named key of the file, private parts and all.
pub fn private(name: &str) -> Value {
    let keys: Value = serde_json::from_str(include_str!("../golden/jose/keys.json")).unwrap();
    assert!(keys[name].is_object(), "no key {name}");
    keys[name].clone()
}

/// The same key as its issuer would publish it, with more members.
pub fn public(name: &str, more: &Value) -> Value {
    let mut key = private(name);
    let members = key.as_object_mut().unwrap();
    members.retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
    members.extend(more.as_object().unwrap().clone());
    key
}

pub fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// A token signed with the named key.
pub fn token(header: &Value, payload: &str, key: &str) -> String {
    raw_token(&header.to_string(), payload.as_bytes(), header["alg"].as_str().unwrap(), key)
}

/// The same with any text as header, for headers that JSON libraries do not write.
pub fn raw_token(header: &str, payload: &[u8], alg: &str, key: &str) -> String {
    signed(&format!("{}.{}", encode(header), encode(payload)), alg, key)
}

/// Whatever stands in front, signed.
pub fn signed(front: &str, alg: &str, key: &str) -> String {
    format!("{front}.{}", encode(signature(front.as_bytes(), alg, key)))
}

pub fn signature(message: &[u8], alg: &str, key: &str) -> Vec<u8> {
    let key = private(key);
    let bytes = |name: &str| decode(key[name].as_str().unwrap()).unwrap();
    match alg {
        "HS256" => mac::<Hmac<Sha256>>(&bytes("k"), message),
        "HS384" => mac::<Hmac<Sha384>>(&bytes("k"), message),
        "HS512" => mac::<Hmac<Sha512>>(&bytes("k"), message),
        "RS256" => rsa_key(&key).pkcs1v15_sign::<Sha256>(message).unwrap(),
        "RS384" => rsa_key(&key).pkcs1v15_sign::<Sha384>(message).unwrap(),
        "RS512" => rsa_key(&key).pkcs1v15_sign::<Sha512>(message).unwrap(),
        "PS256" => rsa_key(&key).pss_sign_with_rng::<Sha256, _>(&mut Counting(0), message).unwrap(),
        "PS384" => rsa_key(&key).pss_sign_with_rng::<Sha384, _>(&mut Counting(0), message).unwrap(),
        "PS512" => rsa_key(&key).pss_sign_with_rng::<Sha512, _>(&mut Counting(0), message).unwrap(),
        "ES256" => {
            let signature: p256::ecdsa::Signature =
                p256::ecdsa::SigningKey::from_slice(&bytes("d")).unwrap().sign(message);
            signature.to_bytes().to_vec()
        }
        "ES384" => {
            let signature: p384::ecdsa::Signature =
                p384::ecdsa::SigningKey::from_slice(&bytes("d")).unwrap().sign(message);
            signature.to_bytes().to_vec()
        }
        "EdDSA" => {
            let seed: [u8; 32] = bytes("d").try_into().unwrap();
            ed25519_dalek::SigningKey::from_bytes(&seed).sign(message).to_bytes().to_vec()
        }
        other => panic!("no signing with {other}"),
    }
}

/// An HMAC with any secret, for tokens that try to pass a public key off as one.
pub fn mac<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(secret).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn rsa_key(key: &Value) -> rsa::PrivateKey {
    let number = |name: &str| BoxedUint::from_be_slice_vartime(&decode(key[name].as_str().unwrap()).unwrap());
    let primes = vec![number("p"), number("q")];
    rsa::PrivateKey::from_components(number("n"), number("e"), number("d"), primes).unwrap()
}

/// Salts and blinding of tests may be known.
struct Counting(u8);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}
