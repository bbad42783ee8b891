//! The drivers' traffic, register by register as the data sheets have it, and when a row is taken.

mod common;

use ads1x1x::{DataRate16Bit, FullScaleRange, TargetAddr};
use bmi160::{AccelerometerRange, GyroscopeRange};
use common::{Link, golden, host_frames, model, node, windows};
use embedded_hal::i2c;
use embedded_hal_mock::eh1::delay::CheckedDelay;
use embedded_hal_mock::eh1::delay::Transaction as Wait;
use embedded_hal_mock::eh1::digital::{Mock as Pin, State, Transaction as Level};
use embedded_hal_mock::eh1::i2c::{Mock as I2c, Transaction as Bus};
use embedded_hal_mock::eh1::spi::{Mock as Spi, Transaction as Transfer};
use irmae_node::sensor::{ads1115::Converter, bmi160::Imu, lis3dh::Accelerometer};
use irmae_node::{Memory, NodeError, Reading, Sensor, SensorError};
use lis3dh::{DataRate, Range, SlaveAddr};

/// Address of the LIS3DH with SDO low.
const LIS3DH: u8 = 0x18;
/// Address of the ADS1115 with ADDR to ground.
const ADS1115: u8 = 0x48;

/// A LIS3DH from power-up to 100 Hz, 4 g, high resolution, data ready on INT1.
fn lis3dh_setup() -> Vec<Bus> {
    let (ctrl1, ctrl3, ctrl4, temp_cfg, who_am_i) = (0x20, 0x22, 0x23, 0x1f, 0x0f);
    let read = |register, value| Bus::write_read(LIS3DH, vec![register], vec![value]);
    let write = |register, value| Bus::write(LIS3DH, vec![register, value]);
    vec![
        read(who_am_i, 0x33),
        // Block data update.
        write(ctrl4, 0x80),
        // Not low power, but high resolution.
        read(ctrl1, 0x07),
        write(ctrl1, 0x07),
        read(ctrl4, 0x80),
        write(ctrl4, 0x88),
        // 100 Hz, all axes.
        read(ctrl1, 0x07),
        write(ctrl1, 0x57),
        read(ctrl1, 0x57),
        write(ctrl1, 0x57),
        read(temp_cfg, 0x00),
        write(temp_cfg, 0x80),
        // 4 g.
        read(ctrl4, 0x88),
        write(ctrl4, 0x98),
        // ZYXDA on INT1.
        write(ctrl3, 0x10),
    ]
}

/// A burst from OUT_X_L on.
fn lis3dh_row(row: &[i16]) -> Bus {
    Bus::write_read(LIS3DH, vec![0x28 | 0x80], row.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn lis3dh(i2c: &I2c, ready: &Pin) -> Result<Accelerometer<I2c, Pin>, SensorError> {
    Accelerometer::new(i2c.clone(), SlaveAddr::Default, DataRate::Hz_100, Range::G4, ready.clone())
}

#[test]
fn lis3dh_is_set_up_and_read_when_its_pin_is_high() {
    let mut traffic = lis3dh_setup();
    traffic.push(lis3dh_row(&[16, -32, 16_384]));
    let mut i2c = I2c::new(&traffic);
    let mut ready = Pin::new(&[Level::get(State::Low), Level::get(State::Low), Level::get(State::High)]);
    let mut sensor = lis3dh(&i2c, &ready).unwrap();
    let mut row = [0; 3];
    assert_eq!(sensor.read(&mut row), Ok(Reading::Pending));
    assert_eq!(sensor.read(&mut row), Ok(Reading::Pending));
    assert_eq!((sensor.read(&mut row), row), (Ok(Reading::Row), [16, -32, 16_384]));
    i2c.done();
    ready.done();
}

#[test]
fn lis3dh_that_is_not_there_is_named() {
    let mut i2c = I2c::new(&[Bus::write_read(LIS3DH, vec![0x0f], vec![0])]);
    let mut ready = Pin::new(&[]);
    assert_eq!(lis3dh(&i2c, &ready).err(), Some(SensorError::WrongDevice));
    i2c.done();
    let nack = i2c::ErrorKind::NoAcknowledge(i2c::NoAcknowledgeSource::Address);
    let mut i2c = I2c::new(&[Bus::write_read(LIS3DH, vec![0x0f], vec![0]).with_error(nack)]);
    assert_eq!(lis3dh(&i2c, &ready).err(), Some(SensorError::I2c(nack)));
    i2c.done();
    ready.done();
}

/// The whole way, from registers to frames: the windows of a golden case come out of the chip, between samples the pin is low, and
/// in the end the bus fails.
#[test]
fn what_a_lis3dh_measures_arrives_as_the_host_would_encode_it() {
    let (samples, mut traffic, mut levels) = (windows(), lis3dh_setup(), Vec::new());
    for row in samples.chunks_exact(3) {
        levels.extend([Level::get(State::Low), Level::get(State::High)]);
        traffic.push(lis3dh_row(row));
    }
    for _ in 0..10 {
        levels.push(Level::get(State::High));
        traffic.push(lis3dh_row(&[0; 3]).with_error(i2c::ErrorKind::ArbitrationLoss));
    }
    let (mut i2c, mut ready) = (I2c::new(&traffic), Pin::new(&levels));
    let mut node = node(lis3dh(&i2c, &ready).unwrap(), Link::default());
    let outcome = node.boot(golden("signal-i8", "encoder.irmae"), &mut Memory::<1024, 64>::new());
    assert_eq!(outcome, Err(NodeError::Sensor(SensorError::I2c(i2c::ErrorKind::ArbitrationLoss))));
    assert_eq!(node.link.sent, host_frames(&model(), &samples, 64).concat());
    i2c.done();
    ready.done();
}

#[test]
fn bmi160_is_switched_to_spi_started_and_read_when_both_halves_are_ready() {
    let (chip_id, command, accel_range, gyro_range, status, gyro) = (0x00, 0x7e, 0x41, 0x43, 0x1b, 0x0c);
    let transfer = |sent: &[u8], got: &[u8]| {
        vec![
            Transfer::transaction_start(),
            Transfer::transfer_in_place(sent.to_vec(), got.to_vec()),
            Transfer::transaction_end(),
        ]
    };
    let read = |register: u8, value: u8| transfer(&[register | 0x80, 0], &[0, value]);
    let write = |register: u8, value: u8| {
        vec![Transfer::transaction_start(), Transfer::write_vec(vec![register, value]), Transfer::transaction_end()]
    };
    let row: [i16; 6] = [100, -200, 16_384, 1, -1, 300];
    let bytes = |values: &[i16]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let traffic = [
        read(chip_id, 0xff),
        read(chip_id, 0xd1),
        write(command, 0x11),
        write(command, 0x15),
        write(accel_range, 0x05),
        write(gyro_range, 0x01),
        // The accelerometer is ready, the gyroscope is not.
        read(status, 0x80),
        read(status, 0xc0),
        // The chip has angular rate before acceleration.
        transfer(&[&[gyro | 0x80][..], &[0; 12]].concat(), &[&[0][..], &bytes(&row[3..]), &bytes(&row[..3])].concat()),
    ];
    let mut spi = Spi::new(&traffic.concat());
    let mut delay = CheckedDelay::new(&[Wait::delay_ms(4), Wait::delay_ms(80)]);
    let mut sensor = Imu::new(spi.clone(), AccelerometerRange::G4, GyroscopeRange::Scale1000, &mut delay).unwrap();
    let mut found = [0; 6];
    assert_eq!(sensor.read(&mut found), Ok(Reading::Pending));
    assert_eq!((sensor.read(&mut found), found), (Ok(Reading::Row), row));
    spi.done();
    delay.done();
}

#[test]
fn bmi160_that_is_not_there_is_named() {
    let silence = [
        Transfer::transaction_start(),
        Transfer::transfer_in_place(vec![0x80, 0], vec![0xff; 2]),
        Transfer::transaction_end(),
    ];
    let mut spi = Spi::new(&[silence.clone(), silence].concat());
    let mut delay = CheckedDelay::new(&[]);
    let sensor = Imu::new(spi.clone(), AccelerometerRange::G4, GyroscopeRange::Scale1000, &mut delay);
    assert_eq!(sensor.err(), Some(SensorError::WrongDevice));
    spi.done();
    delay.done();
}

#[test]
fn ads1115_converts_by_itself_and_is_read_when_its_pin_has_been_low() {
    let (conversion, config, low, high) = (0, 1, 2, 3);
    let write = |register, [a, b]: [u8; 2]| Bus::write(ADS1115, vec![register, a, b]);
    let read = |value: i16| Bus::write_read(ADS1115, vec![conversion], value.to_be_bytes().to_vec());
    let mut i2c = I2c::new(&[
        // 250 samples a second, then a range of 2.048 V.
        write(config, [0x85, 0xa3]),
        write(config, [0x85, 0xa3]),
        // ALERT/RDY after conversions, and after each one.
        write(high, [0x80, 0x00]),
        write(low, [0x00, 0x00]),
        write(config, [0x85, 0xa0]),
        // On and on, from A0.
        write(config, [0x84, 0xa0]),
        write(config, [0xc4, 0xa0]),
        read(-1234),
        read(1),
    ]);
    let mut ready = Pin::new(&[State::High, State::Low, State::High, State::Low].map(Level::get));
    let (address, rate, range) = (TargetAddr::default(), DataRate16Bit::Sps250, FullScaleRange::Within2_048V);
    let mut sensor = Converter::new(i2c.clone(), address, rate, range, ready.clone()).unwrap();
    let mut rows = Vec::new();
    for _ in 0..4 {
        let mut row = [0];
        rows.push((sensor.read(&mut row).unwrap(), row[0]));
    }
    assert_eq!(rows, [(Reading::Pending, 0), (Reading::Row, -1234), (Reading::Pending, 0), (Reading::Row, 1)]);
    i2c.done();
    ready.done();
}
