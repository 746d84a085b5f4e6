//! RSA moduli whose primes came out of the Infineon library of CVE-2017-15361 ("ROCA", Nemec et al., CCS 2017): they
//! can be factored, so whoever holds the public key can sign.

/// The odd primes that every such library version took into its primorial.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether a modulus (big-endian) has the fingerprint: the remainder for each small prime is a power of 65537, as it
/// is for the product of two primes of the form k·M + (65537^a mod M). A sound modulus has it by chance with a
/// probability of about 2^-27.
pub(super) fn has_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power_of_65537(remainder(modulus, *prime), *prime))
}

fn remainder(modulus: &[u8], prime: u32) -> u32 {
    modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

fn is_power_of_65537(rest: u32, prime: u32) -> bool {
    let mut power = 1;
    // The powers repeat after fewer than `prime` steps.
    for _ in 0..prime {
        if power == rest {
            return true;
        }
        power = power * (65537 % prime) % prime;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_65537_are_told_from_other_remainders() {
        // 65537 is 10 modulo 37, whose powers are 1, 10 and 26.
        let powers: Vec<u32> = (0..37).filter(|rest| is_power_of_65537(*rest, 37)).collect();
        assert_eq!(powers, [1, 10, 26]);
    }

    #[test]
    fn a_power_of_65537_has_the_fingerprint_and_its_neighbours_do_not() {
        // 65537^2 = 2^32 + 2^17 + 1.
        assert!(has_fingerprint(&[1, 0, 2, 0, 1]));
        assert!(!has_fingerprint(&[1, 0, 2, 0, 3]));
        assert!(!has_fingerprint(&[]));
    }
}
