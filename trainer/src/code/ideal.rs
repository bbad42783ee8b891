//! How short a payload could be.

use irmae_infer::code::Code;

use super::coefficient::bits_of;

/// Ideal length, in bits, of what the payload of the (bare) `packet` tells of `code`, in units: the cells' probabilities under the
/// model's own tables, at the packet's operating point and in its class.
///
/// # Panics
/// Where `packet` is not one of `tables`.
pub fn ideal_bits(tables: &Code<'_>, code: &[i16], packet: &[u8]) -> f64 {
    let (&head, payload) = packet.split_first().expect("a packet has a head");
    let told = tables.decode(head, payload, &mut vec![0; code.len()]);
    let cells = tables.coefficients(head).zip(code).take(told);
    let sent = cells.filter(|((quantizer, _), _)| quantizer.is_sent());
    sent.map(|((quantizer, knots), &value)| bits_of(quantizer.cell(knots, quantizer.level(value)).share)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::coefficient::tests::gaussian;
    use irmae_infer::code::{Knots, Quantizer};

    use super::super::{CLASSES_MAX, fit};
    use super::*;

    #[test]
    fn an_even_choice_of_four_takes_two_bits_and_what_is_cut_off_takes_none() {
        let tables = fit(&[gaussian(1.0), gaussian(1.0)], &[1.0; 2], &[3], CLASSES_MAX);
        let code = tables.spec.code().unwrap();
        let finest = code.head(code.points() - 1, code.classes().class_of(&[100, 100]));
        let share = |(quantizer, knots): (Quantizer, &Knots)| quantizer.cell(knots, quantizer.level(100)).share;
        let log2 = |share: u16| (f64::from(share) / 32_768.0).log2();
        let expected: f64 = code.coefficients(finest).map(share).map(log2).sum();
        let mut payload = [0; 9];
        let len = usize::from(code.encode(finest, &[100, 100], &mut payload).len);
        let packet = [&[finest], &payload[..len]].concat();
        assert!((ideal_bits(&code, &[100, 100], &packet) + expected).abs() < 1e-9);
        assert_eq!(ideal_bits(&code, &[100, 100], &packet[..1]), 0.0);
    }
}
