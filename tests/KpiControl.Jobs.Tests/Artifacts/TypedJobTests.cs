using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

public sealed class TypedJobTests
{
    [Fact]
    public void The_specifications_example_is_valid_as_it_stands()
    {
        var reading = ArtifactReader.Read(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", "dso_daily", "specification.yaml")), ArtifactFormat.Yaml);

        Assert.True(reading.IsValid);
        Assert.Empty(reading.Findings);
        var job = reading.Job!;
        Assert.Equal(("dso_daily", "acme", "CFO-EF-02", "1.1.0"), (job.JobId, job.Tenant, job.KpiId, job.ContractVersion));
        Assert.Equal(("cron", "0 2 * * *", "UTC"), (job.Schedule.Type, job.Schedule.Expression, job.Schedule.Timezone));
        Assert.Equal(["GDP_Receivables", "GDP_Sales"], job.Dependencies.Gdp);
        Assert.Equal(new SlaTarget(TimeSpan.FromHours(24), null), job.Sla!.Freshness);
        Assert.Equal((3, "exponential"), (job.Retry.MaxRetries, job.Retry.Backoff));
        Assert.Equal(("slack:#kpi-alerts", "high"), (job.Alerts[0].Channel, job.Alerts[0].Severity));
        Assert.Equal(["MoM"], job.Runtime.Extensions["time"]);
        Assert.Equal(("ledger_type", "=", "actual"), (job.Runtime.Filters[0].Field, job.Runtime.Filters[0].Op, job.Runtime.Filters[0].Value!.GetValue<string>()));
    }

    [Fact]
    public void Absent_members_have_the_tables_defaults_and_the_records_own()
    {
        var job = Job.Yaml(Job.Manual).Job!;
        Assert.Equal((new JobRetry(), TimeSpan.FromMinutes(15), "1.0"), (job.Retry, job.Timeout, job.SchemaVersion));
        Assert.Equal(("UTC", "latest", TimeSpan.FromHours(24), "skip"), (job.Schedule.Timezone, job.Schedule.Catchup, job.Schedule.CatchupWindow, job.Schedule.Overlap));
        Assert.Equal(("kpi_only", "default", "suppress", 3), (job.Run.Profile, job.Run.ConnId, job.Run.OnRuleFail, job.Run.Priority));
        Assert.Equal(("previous", "as_reported"), (job.Dependencies.BusinessDate, job.Runtime.ScdView));
        Assert.Null(job.Sla);
        Assert.Equal(["failure", "recovered", "sla_breach"], Job.With("alerts: [{ channel: \"slack:#a\", severity: low }]").Job!.Alerts[0].On);
    }

    [Fact]
    public void A_stage_set_takes_the_profiles_place() => Assert.Null(Job.With("run: { stage_set: [kpi] }").Job!.Run.Profile);

    [Fact]
    public void One_meaning_is_one_typed_job()
    {
        var spelt = Job.With("sla: { freshness: { target: P1D, grace: 144m } }\nx-a: { b: null, c: 1 }").Job!;
        Assert.Equal(new SlaTarget(TimeSpan.FromDays(1), null), spelt.Sla!.Freshness);
        Assert.Equal("""{"c":1}""", spelt.Extensions["x-a"]!.ToJsonString());
    }
}
