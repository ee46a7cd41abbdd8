"""How the benchmark's results are printed: a table a row, ours first, the others as ratios."""


def print_machine(machine: dict) -> None:
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, "
          f"Python {machine['python']}")
    print(f"fdatasync of one line takes {machine['fdatasync_us']:.0f} us here; "
          f"load {machine['load']:.1f}. Trust the ratios, not the figures.")


def print_row(result: dict) -> None:
    ours, *others = result["candidates"]
    print(f"\n{result['title']} ({result['size']:,} records)")
    print(f"  {ours['name']:<34}{shown(ours, result)}   {verdict(result)}")
    for other in others:
        ratio = other["median"] / ours["median"]
        print(f"  {other['name']:<34}{shown(other, result)}   {ratio:>8.{2 if ratio < 1 else 1}f}x")
    for candidate in result["candidates"]:
        for note in candidate["notes"]:
            print(f"    {candidate['name']}: {note}")


def shown(candidate: dict, result: dict) -> str:
    return f"{candidate['median']:>10.{digits(candidate['median'])}f} {result['unit']:<2}" \
           f"{candidate['peak_mib']:>8.0f} MiB"


def digits(value: float) -> int:
    return 1 if value >= 10 else 2 if value >= 1 else 4


def verdict(result: dict) -> str:
    """The target beside the figure, where there is one for this size."""
    if result["target"] is None:
        return ""
    return f"{aim(result)}: {'MISSED' if is_missed(result) else 'met'}"


def aim(result: dict) -> str:
    said = f"target {result['target']:.{digits(result['target'])}f} {result['unit']}"
    if result["target_mib"] is None:
        return said
    return f"{said} and {result['target_mib']:.0f} MiB"


def is_missed(result: dict) -> bool:
    ours = result["candidates"][0]
    slow = result["target"] is not None and ours["median"] > result["target"]
    fat = result["target_mib"] is not None and ours["peak_mib"] > result["target_mib"]
    return slow or fat


def print_missed(results: list[dict]) -> None:
    missed = [result for result in results if is_missed(result)]
    aimed = [result for result in results if result["target"] is not None]
    print(f"\n{len(aimed) - len(missed)} of {len(aimed)} targets met")
    for result in missed:
        ours = result["candidates"][0]
        print(f"  missed: {result['title']}: {shown(ours, result).strip()}, {aim(result)}")
