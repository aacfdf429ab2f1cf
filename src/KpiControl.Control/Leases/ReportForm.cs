using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>
/// What of a report parses as protobuf and cannot be told as JSON: it is dropped, for nothing else of the report is worse for
/// it. One such instant threw in every attempt to keep the report, which was then never answered and sent again for ever.
/// </summary>
internal static class ReportForm
{
    private const long FirstSecond = -62_135_596_800, AfterLastSecond = 253_402_300_800, MostSeconds = 315_576_000_000;
    private const int Second = 1_000_000_000;

    /// <returns>Whether something was dropped.</returns>
    public static bool Mend(Finished report)
    {
        var dropped = false;
        report.StartedAt = Instant(report.StartedAt, ref dropped);
        report.FinishedAt = Instant(report.FinishedAt, ref dropped);
        report.RetryAfter = Span(report.RetryAfter, ref dropped);
        foreach (var stage in report.Stages)
        {
            stage.StartedAt = Instant(stage.StartedAt, ref dropped);
            stage.EndedAt = Instant(stage.EndedAt, ref dropped);
        }
        foreach (var point in report.Points)
            foreach (var value in point.Extensions.Values)
                Mend(value, ref dropped);
        return dropped;
    }

    private static Timestamp? Instant(Timestamp? at, ref bool dropped) =>
        at is null or { Seconds: >= FirstSecond and < AfterLastSecond, Nanos: >= 0 and < Second } ? at : Nothing<Timestamp>(ref dropped);

    private static Duration? Span(Duration? span, ref bool dropped) =>
        span is null or { Seconds: >= 0 and <= MostSeconds, Nanos: >= 0 and < Second } or { Seconds: <= 0 and >= -MostSeconds, Nanos: <= 0 and > -Second } ? span : Nothing<Duration>(ref dropped);

    private static void Mend(Value value, ref bool dropped)
    {
        switch (value.KindCase)
        {
            case Value.KindOneofCase.None:
                value.NullValue = NullValue.NullValue;
                dropped = true;
                break;
            case Value.KindOneofCase.StructValue:
                foreach (var member in value.StructValue.Fields.Values)
                    Mend(member, ref dropped);
                break;
            case Value.KindOneofCase.ListValue:
                foreach (var item in value.ListValue.Values)
                    Mend(item, ref dropped);
                break;
        }
    }

    private static T? Nothing<T>(ref bool dropped) where T : class
    {
        dropped = true;
        return null;
    }
}
