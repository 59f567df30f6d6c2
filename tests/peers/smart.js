/**
 * Charging profiles as a station keeps them (OCPP 1.6, 3.13 Smart Charging; 2.0.1, K01). A profile
 * is { place, id, level, purpose, kind, recurrency, from, to, transaction, schedule }, whatever the
 * version called it; its purpose is "max", "default" or "tx", its place 0 for the whole station.
 */
"use strict";

const DAY_S = 86_400;
const PHASES = 3;

class Profiles {
  /** `rated` in watts; a connector has `id` and `transaction`, null or { id, startedAt }. */
  constructor(rated, voltage) {
    this.rated = rated;
    this.voltage = voltage;
    this.all = [];
  }

  /** Keep a profile; false if it goes with nothing. */
  put(profile, connector) {
    if (profile.purpose === "tx") {
      const transaction = connector?.transaction ?? null;
      if (transaction === null) return false;
      if (profile.transaction !== undefined && profile.transaction !== transaction.id) return false;
    }
    if (profile.purpose === "max" && profile.place !== 0) return false;
    const replaces = (old) =>
      old.id === profile.id ||
      (old.place === profile.place && old.level === profile.level && old.purpose === profile.purpose);
    this.all = [...this.all.filter((old) => !replaces(old)), profile];
    return true;
  }

  /** Drop those that fit; false if there were none. */
  drop(fits) {
    const kept = this.all.filter((one) => !fits(one));
    const found = kept.length < this.all.length;
    this.all = kept;
    return found;
  }

  endTransaction(place) {
    this.drop((one) => one.purpose === "tx" && one.place === place);
  }

  /** What a connector may take at a moment, in watts. */
  limitAt(connector, now) {
    let own = connector.transaction === null ? null : this.#leading("tx", [connector.id], connector, now);
    own ??= this.#leading("default", [connector.id, 0], connector, now);
    const whole = this.#leading("max", [0], connector, now);
    return Math.min(this.rated, own ?? Infinity, whole ?? Infinity);
  }

  /** The periods of a composite schedule of whole seconds. */
  composite(connector, start, lengthS, unit) {
    const scale = unit === "W" ? 1 : PHASES * this.voltage;
    const periods = [];
    for (let second = 0; second < lengthS; second += 1) {
      const limit = Math.round((this.limitAt(connector, start + 1_000 * second) / scale) * 10) / 10;
      if (periods.at(-1)?.limit !== limit) periods.push({ startPeriod: second, limit });
    }
    return periods;
  }

  #leading(purpose, places, connector, now) {
    for (const place of places) {
      const found = this.all
        .filter((each) => each.purpose === purpose && each.place === place)
        .sort((a, b) => b.level - a.level);
      for (const profile of found) {
        const watts = this.#allowed(profile, connector, now);
        if (watts !== null) return watts;
      }
    }
    return null;
  }

  /** What a profile allows at a moment, in watts; null where it says nothing. */
  #allowed(profile, connector, now) {
    const { from, to, schedule } = profile;
    if (from !== undefined && now < Date.parse(from)) return null;
    if (to !== undefined && now >= Date.parse(to)) return null;
    const elapsedS = (now - beginOf(profile, connector, now)) / 1_000;
    if (elapsedS < 0 || (schedule.duration !== undefined && elapsedS >= schedule.duration)) return null;
    const period = schedule.chargingSchedulePeriod.findLast((each) => each.startPeriod <= elapsedS);
    if (period === undefined) return null;
    if (schedule.chargingRateUnit === "W") return period.limit;
    return period.limit * this.voltage * (period.numberPhases ?? PHASES);
  }
}

function beginOf(profile, connector, now) {
  const { startSchedule } = profile.schedule;
  switch (profile.kind) {
    case "Relative":
      return connector.transaction?.startedAt ?? now;
    case "Recurring": {
      const stepS = profile.recurrency === "Weekly" ? 7 * DAY_S : DAY_S;
      const first = Date.parse(startSchedule);
      return first + Math.floor((now - first) / (1_000 * stepS)) * 1_000 * stepS;
    }
    default:
      return startSchedule === undefined ? (connector.transaction?.startedAt ?? now) : Date.parse(startSchedule);
  }
}

module.exports = { Profiles };
