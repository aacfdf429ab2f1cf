using System.Text.Json;
using KpiControl.Cli.Tests.Support;
using KpiControl.Testing;

namespace KpiControl.Cli.Tests;

/// <summary>The commands against the real control plane on a real database: what a scripted one only claims.</summary>
public sealed class RealControlPlaneTests : IAsyncLifetime
{
    private readonly CommandLine kpictl = new();
    private TestDatabase database = null!;
    private TestIssuer issuer = null!;
    private ControlHost host = null!;
    private readonly AuditKeyFile auditKey = new();

    public async ValueTask InitializeAsync()
    {
        var token = TestContext.Current.CancellationToken;
        database = await PostgresFixture.CreateDatabaseAsync(token);
        issuer = await TestIssuer.StartAsync(token);
        host = await ControlHost.StartAsync(database, issuer, ("Audit:SigningKeyFile", auditKey.Path), ("Audit:LinkEvery", "00:00:00.1"), ("Audit:CheckpointEvery", "00:00:00"));
        kpictl.With("KPI_GRPC", new Uri(host.GrpcUrl).Authority).With("KPI_TOKEN", issuer.Token());
    }

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await issuer.DisposeAsync();
        await database.DisposeAsync();
        kpictl.Dispose();
        auditKey.Dispose();
    }

    [Fact]
    public async Task The_trail_is_listed_exported_and_verified_far_from_the_system()
    {
        await Done("contracts", "put", "-f", Repository.File("samples", "contracts", "cfo-ef-02.yaml"));
        await Done("apply", "-f", Repository.File("samples", "jobs", "dso_daily.yaml"));
        await Done("pause", "dso_daily", "--reason", "the books are closed");
        Assert.Matches("(?m) Pause +binding/[0-9]+ +dev +the books are closed *$", await Done("audit", "list", "--verb", "Pause"));

        await Eventually.ComesAsync("every row is linked", async _ => await Done("audit", "verify") is var verified
            && verified.StartsWith("whole: ", StringComparison.Ordinal) && !verified.Contains("not linked yet", StringComparison.Ordinal) ? verified : null);
        var export = await Done("audit", "export");
        var (file, key) = (kpictl.File("acme.ndjson", export), kpictl.File("key.pem", await Done("audit", "key")));
        Assert.Equal(auditKey.PublicPem.Trim(), (await Done("audit", "key")).Trim());
        Assert.StartsWith("whole: ", await Done("audit", "verify", file, "--key", key), StringComparison.Ordinal);

        var altered = await kpictl.Run("audit", "verify", kpictl.File("altered.ndjson", export.Replace("the books are closed", "all is well", StringComparison.Ordinal)), "--key", key);
        Assert.Equal(1, altered.Exit);
        Assert.Matches(@"(?m)^audit [0-9]+ \(line [0-9]+, row [0-9]+ of link [0-9]+\) was changed or moved$", altered.Out);
        Assert.Contains("is not a PEM file", (await kpictl.Run("audit", "verify", file, "--key", file)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_contracts_next_version_shows_the_jobs_that_it_breaks_before_it_is_stored()
    {
        var file = Repository.File("samples", "contracts", "cfo-ef-02.yaml");
        await Done("contracts", "put", "-f", file);
        await Done("apply", "-f", Repository.File("samples", "jobs", "dso_daily.yaml"));
        var next = (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Replace("version: \"1.1.0\"", "version: \"1.2.0\"", StringComparison.Ordinal)
            .Replace("[GDP_Receivables, GDP_Sales]", "[GDP_Receivables, GDP_Sales, GDP_Payables]", StringComparison.Ordinal);

        var told = await Done("contracts", "put", "-f", kpictl.File("next.yaml", next), "--dry-run");

        Assert.Contains("jobs bound to this version or earlier ones: 1; it breaks 1\n", told, StringComparison.Ordinal);
        Assert.Matches("(?m)^ +dev/dso_daily +eu +1.1.0 +yes +contract.missing_dependency: The contract is computed from GDP_Payables, and the job does not wait for it. *$", told);
        Assert.DoesNotContain("1.2.0", await Done("contracts", "list"), StringComparison.Ordinal);
        Assert.Matches("(?m)^ +dev/dso_daily +eu +1.1.0 +yes +contract.retired: ", await Done("contracts", "status", "CFO-EF-02@1.1.0", "retired", "--dry-run"));
    }

    [Fact]
    public async Task What_is_due_tomorrow_shows_its_peak_and_where_to_spread_and_top_counts_the_jobs()
    {
        await new BindingSeed(database).BindAsync(BindingSeed.Job("nightly", "0 2 * * *"), "now() + interval '20 years'", 40, token: TestContext.Current.CancellationToken);

        var load = await kpictl.Run("load", "--from", "2030-01-07T00:00:00Z", "--region", "eu");
        Assert.Matches("(?m)^01-07 02:00Z +40 +40 +01-07 02:00Z +█{40} *$", load.Out);
        Assert.Contains("peak at 2030-01-07 02:00:00Z: 40 runs of 40 jobs, nightly", load.Error, StringComparison.Ordinal);
        Assert.Matches("(?m)^advice: 40 runs are due in the minute 2030-01-07 02:00Z. With spread: [0-9]+m in the schedules of 40 of their jobs", load.Error);
        Assert.Matches("(?m)^acme/dev in eu +40 +0 +0 +0 +- +0 +0 +0 +0 +0 *$", await Done("top"));
    }

    [Fact]
    public async Task What_stands_over_a_job_is_seen_wherever_the_job_is_and_goes_again()
    {
        await Done("contracts", "put", "-f", Repository.File("samples", "contracts", "cfo-ef-02.yaml"));
        await Done("apply", "-f", Repository.File("samples", "jobs", "dso_daily.yaml"));
        foreach (var (kind, value) in new[] { ("schedule", "0 6 * * *"), ("priority", "1"), ("timeout", "45m"), ("alert-route", "slack:#night-shift") })
            Assert.Contains(" overridden (" + value + ") until ", await Done("override", "set", "dso_daily", kind, value, "--until", "3d", "--reason", "late close"), StringComparison.Ordinal);
        Assert.Matches("acme/dev/dso_daily: pause overridden until ", await Done("override", "set", "dso_daily", "pause", "--until", "2h", "--reason", "a move"));

        Assert.Matches(@"0 6 \* \* \* \(overridden\) .* paused \(overridden: alert_route, priority, timeout\)", await Done("get", "dso_daily"));
        Assert.Matches("(?m)^timeout +45m +20.* late close *$", await Done("describe", "dso_daily"));
        Assert.Equal(5, (await Done("override", "list")).Trim().Split('\n').Length - 1);
        Assert.Contains("its schedule is overridden (0 6 * * *) until ", await Done("plan", Repository.File("samples", "jobs", "dso_daily.yaml")), StringComparison.Ordinal);
        Assert.Contains("The timeout was overridden (45m) by ", await Done("explain", "dso_daily"), StringComparison.Ordinal);

        foreach (var kind in new[] { "schedule", "priority", "timeout", "alert_route", "pause" })
            await Done("override", "clear", "dso_daily", kind, "--reason", "closed");
        Assert.DoesNotContain("overridden", await Done("get", "dso_daily"), StringComparison.Ordinal);
        Assert.Contains("expires_at", (await kpictl.Run("override", "set", "dso_daily", "priority", "1", "--until", "91d", "--reason", "x")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_is_proven_far_from_the_system_and_what_was_altered_is_named()
    {
        await Done("contracts", "put", "-f", Repository.File("samples", "contracts", "cfo-ef-02.yaml"));
        await Done("apply", "-f", Repository.File("samples", "jobs", "dso_daily.yaml"));
        await Done("trigger", "dso_daily");
        await Done("cancel", "dso_daily");
        var run = (await Done("runs", "dso_daily", "-o", "name")).Trim();
        var date = JsonDocument.Parse(await Done("runs", run, "-o", "json")).RootElement.GetProperty("run").GetProperty("business_date").GetString()!;
        var (bundle, key) = (await ExportedAsync(run), kpictl.File("key.pem", await Done("audit", "key")));

        var verified = await Done("evidence", "verify", bundle, "--key", key);

        Assert.Matches($"(?m)^{run["run/".Length..]} +dev/dso_daily +{date} +reported +cancelled +sha256:[0-9a-f]+ +none asked for", verified);
        Assert.Matches("(?m)^whole: 1 runs, [0-9]+ documents of acme, signed by the key [0-9a-f]{16} at ", verified);
        Assert.StartsWith("{\"document\":", await Done("evidence", "export", $"{date}..{date}", "--job", "dso_daily"), StringComparison.Ordinal);
        Assert.StartsWith("{\"document\":", await Done("evidence", "export", date, "--kpi", "CFO-EF-02"), StringComparison.Ordinal);

        var altered = await kpictl.Run("evidence", "verify", kpictl.File("altered.ndjson", (await File.ReadAllTextAsync(bundle)).Replace("cancelled", "succeeded", StringComparison.Ordinal)), "--key", key);
        Assert.Equal(1, altered.Exit);
        Assert.Matches(@"^DOES NOT FIT: line [0-9]+, signed as row/[0-9]+/[0-9]+, was changed", altered.Out);
        Assert.Contains("add --job JOB or --kpi KPI", (await kpictl.Run("evidence", "export", date)).Error, StringComparison.Ordinal);
        Assert.Contains("names no run and no period", (await kpictl.Run("evidence", "export", "yesterday")).Error, StringComparison.Ordinal);
        Assert.Contains("cannot be read", (await kpictl.Run("evidence", "verify", bundle + "x", "--key", key)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_that_was_released_by_break_glass_is_proven_and_told_so_with_what_its_review_came_to()
    {
        var job = Repository.File("samples", "jobs", "dso_daily.yaml");
        await Done("contracts", "put", "-f", Repository.File("samples", "contracts", "cfo-ef-02.yaml"));
        await Done("apply", "-f", job, "--env", "prod");
        var change = (await Done("changes", "--env", "prod", "-o", "name")).Trim().Split('/')[^1];
        foreach (var name in new[] { "bea", "carl" })
            await As(name, "approve", change, "--break-glass", "--comment", "the ledger is wrong");
        await Done("release", change, "--break-glass", "--reason", "the ledger is wrong");
        await Done("trigger", "dso_daily", "--env", "prod");
        await Done("cancel", "dso_daily", "--env", "prod");
        var run = (await Done("runs", "dso_daily", "--env", "prod", "-o", "name")).Trim();
        var key = kpictl.File("key.pem", await Done("audit", "key"));

        var verified = await Done("evidence", "verify", await ExportedAsync(run), "--key", key);

        Assert.Matches($"(?m)^{run["run/".Length..]} +prod/dso_daily .* break-glass: bea, break-glass: carl *$", verified);
        Assert.Matches($"(?m)^run {run["run/".Length..]} was released by break-glass, change {change}: the ledger is wrong; its review was open at the export$", verified);
        await As("dora", "changes", "reviews", "close", change, "--comment", "it was right");
        Assert.Contains("; reviewed by dora: it was right", await Done("evidence", "verify", await ExportedAsync(run), "--key", key), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tenants_are_made_by_an_operator_and_policies_written_by_their_administrator()
    {
        using var operators = new CommandLine().With("KPI_GRPC", new Uri(host.GrpcUrl).Authority).With("KPI_TOKEN", issuer.Token("operator"));
        Assert.Matches("(?m)^hooli +eu +eu,us +2 ", (await operators.Run("tenants", "create", "hooli", "--home", "eu", "--regions", "us", "--weight", "2")).Out);
        Assert.Matches("(?m)^hooli +eu +eu +2 ", (await operators.Run("tenants", "update", "hooli", "--remove-regions", "us", "--reason", "no agents there")).Out);
        Assert.Equal("acme\nglobex\nhooli\ninitech\n", (await operators.Run("tenants", "-o", "name")).Out.ReplaceLineEndings("\n"));
        Assert.Matches("(?m)^acme ", await Done("tenants", "get", "acme"));

        Assert.Matches("(?m)^acme +stg +2 +required +– +required +required +p2 ", await Done("policies", "set", "--env", "stg", "--requires-approval", "true", "--requires-owners", "false"));
        Assert.Matches("(?m)^acme +prod +1 +required ", await Done("policies"));
        Assert.Equal("stg@2\nstg@1\n", (await Done("policies", "history", "--env", "stg", "-o", "name")).ReplaceLineEndings("\n"));
        var stale = await kpictl.Run("policies", "set", "--env", "stg", "--requires-sla", "false", "--etag", "p1");
        Assert.Equal(1, stale.Exit);
        Assert.Contains("ETAG_MISMATCH", stale.Error, StringComparison.Ordinal);
        Assert.Equal(1, (await kpictl.Run("tenants", "create", "mine")).Exit);
    }

    [Fact]
    public async Task A_calendar_is_stored_used_and_its_next_version_tells_what_it_moves()
    {
        await Done("contracts", "put", "-f", Repository.File("samples", "contracts", "cfo-ef-02.yaml"));
        var (target, job) = (Repository.File("samples", "calendars", "target.yaml"), Repository.File("samples", "jobs", "dso_daily.yaml"));
        var text = await File.ReadAllTextAsync(job, TestContext.Current.CancellationToken);
        var onTarget = kpictl.File("job.yaml", text.Replace("\"0 2 * * *\"", "\"0 2 * * *\"\n  calendar: target", StringComparison.Ordinal));
        Assert.Contains("meaning.calendar", (await kpictl.Run("apply", "-f", onTarget)) is var missing ? missing.Out + missing.Error : "", StringComparison.Ordinal);

        Assert.StartsWith("target@1 stored: sha256:", await Done("calendars", "put", target), StringComparison.Ordinal);
        Assert.StartsWith("target@1 is stored already", await Done("calendars", "put", target), StringComparison.Ordinal);
        Assert.Matches("(?m)^dso_daily +created +eu ", await Done("apply", "-f", onTarget));

        var works = kpictl.File("works.yaml", (await File.ReadAllTextAsync(target, TestContext.Current.CancellationToken)).Replace("holidays:", "weekend: [sunday]\nholidays:", StringComparison.Ordinal));
        var rehearsed = await Done("calendars", "put", works, "--dry-run");
        Assert.StartsWith("target@2 would be stored (dry run)", rehearsed, StringComparison.Ordinal);
        Assert.Matches("(?m)^dev/dso_daily +0 +[1-9][0-9]* ", rehearsed);
        Assert.Equal("target@1\n", (await Done("calendars", "list", "-o", "name")).ReplaceLineEndings("\n"));

        Assert.StartsWith("target@2 stored", await Done("calendars", "put", works, "--reason", "Saturdays are worked", "--yes"), StringComparison.Ordinal);
        Assert.Matches("(?m)^target +2 +1 +sha256:", await Done("calendars", "list", "target"));
        Assert.Contains("weekend: [sunday]", await Done("calendars", "show", "target"), StringComparison.Ordinal);
        Assert.DoesNotContain("weekend:", await Done("calendars", "show", "target@1"), StringComparison.Ordinal);
        Assert.Equal(1, (await kpictl.Run("calendars", "show", "nobodys")).Exit);
    }

    [Fact]
    public async Task A_directory_is_planned_applied_diffed_and_pruned()
    {
        await Done("contracts", "put", "-f", Repository.File("samples", "contracts", "cfo-ef-02.yaml"));
        var text = await File.ReadAllTextAsync(Repository.File("samples", "jobs", "dso_daily.yaml"), TestContext.Current.CancellationToken);
        var jobs = Path.GetDirectoryName(kpictl.File("jobs/a.yaml", text))!;
        kpictl.File("jobs/deep/b.yaml", text.Replace("dso_daily", "dso_second", StringComparison.Ordinal));
        string[] set = [jobs, "--source", "here", "--prune"];

        Assert.Equal(3, (await kpictl.Run(["plan", .. set, "--detailed-exitcode"])).Exit);
        Assert.Matches("(?m)^dso_second +created +eu ", await Done(["apply", .. set]));
        Assert.Equal(0, (await kpictl.Run(["diff", .. set])).Exit);
        kpictl.File("jobs/a.yaml", text.Replace("0 2 * * *", "0 3 * * *", StringComparison.Ordinal));
        File.Delete(Path.Combine(jobs, "deep", "b.yaml"));
        var diff = await kpictl.Run(["diff", .. set]);
        Assert.Equal(3, diff.Exit);
        Assert.Matches(@"(?m)^    /schedule/expression +""0 2 \* \* \*"" +→ +""0 3 \* \* \*""$", diff.Out);
        Assert.Matches("(?m)^- remove dso_second in eu", diff.Out);
        var plan = kpictl.File("plan.json", await Done(["plan", .. set, "-o", "json"]));
        Assert.Matches("(?ms)^dso_daily +rebound .*^dso_second +removed ", await Done(["apply", .. set, "--plan", plan]));
        Assert.Equal(0, (await kpictl.Run(["diff", .. set])).Exit);
        Assert.Contains("Nothing to do.", await Done(["plan", .. set, "-o", "markdown"]), StringComparison.Ordinal);

        // What was resumed meanwhile is paused again: the same words at another time are another request.
        kpictl.File("jobs/a.yaml", text.Replace("dso_daily", "dso_third", StringComparison.Ordinal));
        string[] pausing = [jobs, "--source", "here", "--prune=pause"];
        Assert.Matches("(?m)^dso_daily +paused ", await Done(["apply", .. pausing]));
        await Done("resume", "dso_daily");
        Assert.Matches("(?m)^dso_daily +paused ", await Done(["apply", .. pausing]));
        Assert.Matches("(?m)^dso_daily +dev.* paused", await Done("get"));
    }

    [Fact]
    public async Task From_contract_to_a_waiting_run_and_back()
    {
        var job = Repository.File("samples", "jobs", "dso_daily.yaml");
        await Done("contracts", "put", "-f", Repository.File("samples", "contracts", "cfo-ef-02.yaml"));
        Assert.Matches("(?m)^dso_daily +created \\(dry run\\)", await Done("apply", "-f", job, "--dry-run"));
        Assert.Contains("no jobs in acme", (await kpictl.Run("get")).Error, StringComparison.Ordinal);

        Assert.Matches("(?m)^dso_daily +created +eu ", await Done("apply", "-f", job));
        Assert.EndsWith("nothing to do, 1 unchanged\n", (await kpictl.Run("apply", job)).Error, StringComparison.Ordinal);
        var changed = kpictl.File("changed.yaml", (await File.ReadAllTextAsync(job, TestContext.Current.CancellationToken)).Replace("0 2 * * *", "0 3 * * *", StringComparison.Ordinal));
        Assert.Matches("(?m)^dso_daily +rebound ", await Done("apply", "-f", changed));

        Assert.Matches("(?m)^.── table GDP_Receivables  DECLARED, NEVER RECORDED", await Done("lineage", "CFO-EF-02"));
        Assert.Matches("(?m)^.── dso_daily CFO-EF-02@1.1.0  no good run  DECLARED, NEVER RECORDED", await Done("lineage", "--table", "GDP_Receivables"));
        using var json = JsonDocument.Parse(await Done("get", "dso_daily", "-o", "json"));
        Assert.Equal("0 3 * * *", json.RootElement.GetProperty("schedule_cron").GetString());
        Assert.Equal((await Done("hash", changed)).Trim(), json.RootElement.GetProperty("content_hash").GetString());
        Assert.Equal(await File.ReadAllTextAsync(changed, TestContext.Current.CancellationToken), await Done("get", "dso_daily", "--artifact"));

        Assert.Contains(" paused until 20", await Done("pause", "dso_daily", "--until", "2h", "--reason", "a test"), StringComparison.Ordinal);
        Assert.Matches("(?m)^state +paused, paused until .*, because: a test$", await Done("describe", "dso_daily"));
        Assert.Contains(" resumed, next run ", await Done("resume", "dso_daily"), StringComparison.Ordinal);

        Assert.Contains(" triggered for 2026-01-01: ", await Done("trigger", "dso_daily", "--business-date", "2026-01-01"), StringComparison.Ordinal);
        Assert.NotEmpty(await Done("explain", "dso_daily"));
        Assert.Matches("(?m)^20.* 03:00:00Z ", await Done("preview", "dso_daily", "-n", "1"));
        Assert.Contains(" published: ", await Done("signal", "erp_eod_sync", "--business-date", "2026-01-01"), StringComparison.Ordinal);
        Assert.Matches("(?m)^signal +erp_eod_sync +dev ", await Done("signal", "list"));
        Assert.Contains("cancelled", await Done("cancel", "dso_daily", "--yes"), StringComparison.Ordinal);
        Assert.Matches("(?m) 2026-01-01 +cancelled +manual ", await Done("history", "dso_daily"));
    }

    [Fact]
    public async Task Mistakes_are_said_where_they_are()
    {
        var bad = kpictl.File("bad.yaml", OfflineTests.Artifact.Replace("timezone: UTC", "timezone: Mars/Olympus", StringComparison.Ordinal));

        var refused = await kpictl.Run("apply", "-f", bad);
        var absent = await kpictl.Run("get", "nothing_here");
        var forged = await kpictl.With("KPI_TOKEN", issuer.Token(new Dictionary<string, object> { ["sub"] = "a" }, TimeSpan.FromHours(-1))).Run("get");

        Assert.Equal((1, 1, 4), (refused.Exit, absent.Exit, forged.Exit));
        Assert.Contains($"{bad}:8:", refused.Error, StringComparison.Ordinal);
        Assert.Contains("acme/dev/nothing_here was not found", absent.Error, StringComparison.Ordinal);
        Assert.Contains("the token (KPI_TOKEN) expired", forged.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Version_names_the_control_planes_build() =>
        Assert.Matches(@"(?m)^server 0\.\d+\.\d+", await Done("version"));

    private async Task<string> ExportedAsync(string run)
    {
        var bundle = kpictl.File("bundle.ndjson", "");
        await Eventually.ComesAsync("what the bundle needs is signed", async _ =>
        {
            var exported = await kpictl.Run("evidence", "export", run, "-o", bundle);
            if (exported.Exit != 0)
                Assert.Contains("not under a signed checkpoint yet", exported.Error, StringComparison.Ordinal);
            return exported.Exit == 0 ? exported : null;
        });
        return bundle;
    }

    private async Task As(string approver, params string[] args)
    {
        using var other = new CommandLine().With("KPI_GRPC", new Uri(host.GrpcUrl).Authority).With("KPI_TOKEN", issuer.PersonToken(approver, "acme/*/approver_business"));
        await Done(other, args);
    }

    private Task<string> Done(params string[] args) => Done(kpictl, args);

    private static async Task<string> Done(CommandLine whose, string[] args)
    {
        var result = await whose.Run(args);
        Assert.True(result.Exit == 0, $"kpictl {string.Join(' ', args)}: {result.Error}");
        return result.Out;
    }
}
