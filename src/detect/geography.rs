//! How far apart two countries are at the least.
//!
//! A country is a circle around its middle that holds nearly all of its people; the distance of two is what lies between
//! the circles. Circles are drawn generously (whole degrees, radii rounded up), so the distance is a lower bound: it is
//! never said that somebody travelled further than they must have.

/// Country, latitude and longitude of its middle in degrees, radius in hundreds of kilometres; sorted by country.
const COUNTRIES: [([u8; 2], i8, i16, u8); 82] = [
    (*b"AE", 24, 54, 4),
    (*b"AR", -35, -64, 20),
    (*b"AT", 47, 14, 4),
    (*b"AU", -26, 135, 23),
    (*b"BA", 44, 18, 3),
    (*b"BD", 24, 90, 4),
    (*b"BE", 51, 5, 2),
    (*b"BG", 43, 25, 3),
    (*b"BO", -17, -64, 8),
    (*b"BR", -12, -51, 25),
    (*b"BY", 53, 28, 4),
    (*b"CA", 54, -95, 34),
    (*b"CH", 47, 8, 2),
    (*b"CL", -33, -71, 22),
    (*b"CN", 34, 106, 30),
    (*b"CO", 4, -73, 9),
    (*b"CR", 10, -84, 3),
    (*b"CZ", 50, 15, 3),
    (*b"DE", 51, 10, 5),
    (*b"DK", 56, 10, 3),
    (*b"DZ", 33, 3, 12),
    (*b"EC", -2, -78, 5),
    (*b"EE", 59, 26, 2),
    (*b"EG", 28, 31, 7),
    (*b"ES", 40, -4, 6),
    (*b"ET", 9, 40, 8),
    (*b"FI", 63, 26, 7),
    (*b"FR", 47, 2, 6),
    (*b"GB", 54, -2, 6),
    (*b"GH", 8, -1, 5),
    (*b"GR", 39, 23, 5),
    (*b"HK", 22, 114, 1),
    (*b"HR", 45, 16, 3),
    (*b"HU", 47, 20, 3),
    (*b"ID", -3, 116, 28),
    (*b"IE", 53, -8, 3),
    (*b"IL", 31, 35, 3),
    (*b"IN", 22, 79, 17),
    (*b"IQ", 33, 44, 6),
    (*b"IR", 32, 54, 11),
    (*b"IS", 65, -19, 4),
    (*b"IT", 42, 12, 8),
    (*b"JP", 36, 137, 16),
    (*b"KE", 0, 38, 6),
    (*b"KR", 36, 128, 4),
    (*b"KZ", 48, 67, 16),
    (*b"LT", 55, 24, 2),
    (*b"LU", 50, 6, 1),
    (*b"LV", 57, 25, 3),
    (*b"MA", 31, -7, 10),
    (*b"MX", 23, -102, 18),
    (*b"MY", 4, 109, 12),
    (*b"NG", 9, 8, 8),
    (*b"NL", 52, 5, 3),
    (*b"NO", 64, 14, 11),
    (*b"NZ", -41, 174, 10),
    (*b"PE", -9, -75, 11),
    (*b"PH", 12, 122, 10),
    (*b"PK", 30, 69, 9),
    (*b"PL", 52, 19, 4),
    (*b"PT", 39, -9, 4),
    (*b"RO", 46, 25, 4),
    (*b"RS", 44, 21, 3),
    (*b"RU", 60, 90, 50),
    (*b"SA", 24, 45, 12),
    (*b"SE", 62, 16, 9),
    (*b"SG", 1, 104, 1),
    (*b"SI", 46, 15, 2),
    (*b"SK", 49, 19, 3),
    (*b"TH", 14, 101, 9),
    (*b"TN", 34, 9, 4),
    (*b"TR", 39, 35, 9),
    (*b"TW", 24, 121, 3),
    (*b"TZ", -6, 35, 7),
    (*b"UA", 49, 31, 8),
    (*b"UG", 1, 32, 4),
    (*b"US", 40, -98, 28),
    (*b"UY", -33, -56, 4),
    (*b"VE", 8, -66, 9),
    (*b"VN", 16, 107, 10),
    (*b"ZA", -29, 25, 10),
    (*b"ZW", -19, 30, 5),
];
const EARTH_KM: f64 = 6_371.0;

/// Kilometres between two countries at the least; `None` where one is not known or they touch.
pub fn least_km(from: &str, to: &str) -> Option<f64> {
    let of = |code: &str| {
        let at = COUNTRIES.binary_search_by(|(known, ..)| known.as_slice().cmp(code.as_bytes())).ok()?;
        let (_, latitude, longitude, radius) = COUNTRIES.get(at)?;
        Some((f64::from(*latitude).to_radians(), f64::from(*longitude).to_radians(), f64::from(*radius) * 100.0))
    };
    let (lat_a, lon_a, radius_a) = of(from)?;
    let (lat_b, lon_b, radius_b) = of(to)?;
    // The haversine of the angle between the two middles.
    let (dlat, dlon) = ((lat_b - lat_a) / 2.0, (lon_b - lon_a) / 2.0);
    let half = dlat.sin().powi(2) + lat_a.cos() * lat_b.cos() * dlon.sin().powi(2);
    let km = 2.0 * EARTH_KM * half.clamp(0.0, 1.0).sqrt().asin() - radius_a - radius_b;
    (km > 0.0).then_some(km)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_sorted_so_that_they_are_found() {
        assert!(COUNTRIES.is_sorted_by(|(a, ..), (b, ..)| a < b));
    }

    #[test]
    fn neighbours_are_no_distance_and_oceans_are() {
        assert_eq!(least_km("DE", "FR"), None);
        assert_eq!(least_km("US", "CA"), None);
        assert_eq!(least_km("DE", "XX"), None);
        let across = least_km("DE", "BR").unwrap();
        assert!((5_000.0..9_500.0).contains(&across), "{across}");
        assert!(least_km("US", "JP").unwrap() > 4_000.0);
    }
}
