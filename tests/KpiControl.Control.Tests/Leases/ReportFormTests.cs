using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Leases;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Tests.Leases;

/// <summary>What a report may hold that no JSON can: it is dropped, and no other part of it.</summary>
public sealed class ReportFormTests
{
    public static readonly TheoryData<string> Kinds = [.. Malformed.Keys];

    private static Dictionary<string, Action<Finished>> Malformed => new()
    {
        ["nanos below 0"] = report => report.StartedAt = new Timestamp { Seconds = 1, Nanos = -1 },
        ["nanos of a second"] = report => report.FinishedAt = new Timestamp { Seconds = 1, Nanos = 1_000_000_000 },
        ["before the year 1"] = report => report.StartedAt = new Timestamp { Seconds = -62_135_596_801 },
        ["after the year 9999"] = report => report.StartedAt = new Timestamp { Seconds = 253_402_300_800 },
        ["farthest of all"] = report => report.FinishedAt = new Timestamp { Seconds = long.MaxValue },
        ["a stage's begin"] = report => report.Stages.Add(new StageEvent { Stage = "kpi", StartedAt = new Timestamp { Nanos = -1 } }),
        ["a stage's end"] = report => report.Stages.Add(new StageEvent { Stage = "kpi", EndedAt = new Timestamp { Nanos = int.MaxValue } }),
        ["a duration of two signs"] = report => report.RetryAfter = new Duration { Seconds = 1, Nanos = -1 },
        ["a duration too long"] = report => report.RetryAfter = new Duration { Seconds = 315_576_000_001 },
        ["a value of no kind"] = report => report.Points.Add(new DataPoint { Extensions = { ["MoM"] = new Value() } }),
        ["one within a list in a struct"] = report => report.Points.Add(new DataPoint
        {
            Extensions = { ["MoM"] = Value.ForStruct(new Struct { Fields = { ["a"] = Value.ForList(Value.ForNumber(1), new Value()) } }) },
        }),
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_cannot_be_told_is_dropped(string kind)
    {
        var report = Whole();
        Malformed[kind](report);
        Assert.Throws<InvalidOperationException>(() => JsonFormatter.Default.Format(report));

        Assert.True(ReportForm.Mend(report));

        Assert.Contains("\"GDP_Sales\"", JsonFormatter.Default.Format(report), StringComparison.Ordinal);
        Assert.False(ReportForm.Mend(report));
    }

    [Fact]
    public void A_report_that_can_be_told_stays_as_it_is()
    {
        var (report, same) = (Whole(), Whole());
        report.RetryAfter = same.RetryAfter = new Duration { Seconds = -1, Nanos = -5 };

        Assert.False(ReportForm.Mend(report));

        Assert.Equal(same, report);
        JsonFormatter.Default.Format(report);
    }

    private static Finished Whole() => new()
    {
        StartedAt = new Timestamp { Seconds = -62_135_596_800 }, FinishedAt = new Timestamp { Seconds = 253_402_300_799, Nanos = 999_999_999 },
        Points = { new DataPoint { Value = double.NaN, Extensions = { ["a"] = Value.ForList(Value.ForNull(), Value.ForNumber(double.NaN)), ["b"] = Value.ForStruct(new Struct()) } } },
        Lineage = new Lineage { Sources = { new LineageSource { Name = "GDP_Sales" } } },
    };
}
