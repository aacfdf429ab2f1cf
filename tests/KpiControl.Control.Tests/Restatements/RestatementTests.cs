using System.Text.Json;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Restatements;

/// <summary>What is accepted is computed beside what was reported, which stays.</summary>
public sealed class RestatementTests
{
    private const string OnTable = "dependencies: { gdp: [GDP_A] }";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_accepted_offer_runs_by_the_definition_that_reported_in_the_restated_view_and_the_reported_number_stays()
    {
        await using var world = await RestatementWorld.StartAsync();
        var (binding, reported) = await ReportedAsync(world, 10);
        var before = await EvidenceAsync(world, reported);
        var definition = (await world.RunAsync(reported)).ContentHash;
        await world.Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = binding, Content = SampleTexts.Simple("late", ByTheClock.Yearly, OnTable + "\ndescription: another") }, cancellationToken: Token);
        await world.RefreshAsync("GDP_A", "load-2", "2026-02-01");
        var offer = await world.OfferAsync(binding);

        Assert.Equal("running", (await world.AcceptAsync(offer.RestatementId)).State);
        var lease = await world.LeaseAsync();
        Assert.Equal(("restatement", "restated", "2026-01-31", definition), (lease.TriggerKind, lease.ScdView, lease.BusinessDate, lease.ContentHash));
        Assert.Contains("\"scd_view\":\"restated\"", lease.CallJson, StringComparison.Ordinal);
        await world.FinishAsync(lease, 12.5);

        var restatement = await world.EndedAsync(offer.RestatementId);
        var date = Assert.Single(restatement.Dates);
        Assert.Equal(("restated", 1, 1, "success"), (restatement.State, restatement.Total, restatement.Restated, date.State));
        Assert.Equal((reported, lease.Fence.Number, true), (date.ReportedRunId, date.RestatedRunId, date.Compared));
        var difference = Assert.Single(date.Differences);
        Assert.Equal(("2026-01-31", "amount", "PARENT", 10, 12.5), (difference.Period, difference.Metric, difference.Dimensions["company_id"], difference.Reported, difference.Restated));

        var (as_reported, restated) = (await world.RunAsync(reported), await world.RunAsync(lease.Fence.Number));
        Assert.Equal(("as_reported", 0L, 0L), (as_reported.ScdView, as_reported.RestatementId, as_reported.RestatesRunId));
        Assert.Equal([restated.RunId], as_reported.RestatedByRunIds);
        Assert.Equal(("restated", offer.RestatementId, reported), (restated.ScdView, restated.RestatementId, restated.RestatesRunId));
        Assert.Equal(before, await EvidenceAsync(world, reported));
        var lineage = (await world.Jobs.GetLineageAsync(new GetLineageRequest { RunId = restated.RunId }, cancellationToken: Token)).Nodes[0].Run;
        Assert.Equal(("restated", reported), (lineage.ScdView, lineage.RestatesRunId));
        var ofJob = (await world.Jobs.GetLineageAsync(new GetLineageRequest { BindingId = binding }, cancellationToken: Token)).Nodes[0].Run;
        Assert.Equal((reported, "as_reported", restated.RunId), (ofJob.RunId, ofJob.ScdView, Assert.Single(ofJob.RestatedByRunIds)));
        var explained = await world.Jobs.ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding, SlotKey = restated.SlotKey }, cancellationToken: Token);
        Assert.Contains(explained.Facts, fact => fact.Text.Contains($"restatement {offer.RestatementId} of what run {reported} reported, since refresh {offer.Cause.RefreshId} of GDP_A changed it; figures came late", StringComparison.Ordinal));
        using var evidence = JsonDocument.Parse(await EvidenceAsync(world, restated.RunId));
        Assert.Equal("restated", evidence.RootElement.GetProperty("call").GetProperty("scd_view").GetString());
        var proof = evidence.RootElement.GetProperty("restatement");
        Assert.Equal([$"{offer.RestatementId}", $"{reported}", $"refresh/{offer.Cause.RefreshId}", "GDP_A", "admin@acme.example", "figures came late", restatement.Digest],
            new[] { "restatement_id", "reported_run_id", "cause", "source", "accepted_by", "reason", "digest" }.Select(member => proof.GetProperty(member).GetString()!));
        Assert.Equal([restated.RunId], (await world.Jobs.ListRunsAsync(new ListRunsRequest { BindingId = binding, Filter = "trigger_kind = \"restatement\"" }, cancellationToken: Token)).Runs.Select(r => r.RunId));
    }

    [Fact]
    public async Task Of_many_who_accept_at_once_one_starts_it_and_all_are_told_the_same()
    {
        await using var world = await RestatementWorld.StartAsync();
        var (binding, _) = await ReportedAsync(world, 10);
        await world.RefreshAsync("GDP_A", "load-2", "2026-02-01");
        var offer = await world.OfferAsync(binding);

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => world.AcceptAsync(offer.RestatementId).ResponseAsync));

        Assert.Single(answers.Select(a => a.BackfillId).Distinct());
        await world.FinishAsync(await world.LeaseAsync(), 11);
        Assert.Equal("restated", (await world.EndedAsync(offer.RestatementId)).State);
        Assert.Equal((1, 1), (await world.Leases.OneAsync<long>("SELECT count(*) FROM kpi_backfill"), await world.Leases.OneAsync<long>("SELECT count(*) FROM kpi_job_history WHERE trigger_kind = 'restatement'")));
        Assert.Equal("restated", (await world.AcceptAsync(offer.RestatementId)).State);
        Assert.Equal("RESTATEMENT_CLOSED", (await Refusals.OfAsync(DeclineAsync(world, offer.RestatementId))).Info().Reason);
    }

    [Fact]
    public async Task One_that_fails_leaves_the_reported_number_the_jobs_status_and_its_alerts_alone_and_is_accepted_again()
    {
        await using var world = await RestatementWorld.StartAsync();
        var (binding, reported) = await ReportedAsync(world, 10);
        await world.RefreshAsync("GDP_A", "load-2", "2026-02-01");
        var offer = await world.OfferAsync(binding);
        await world.AcceptAsync(offer.RestatementId);
        await world.FailAsync(await world.LeaseAsync());

        var failed = await world.EndedAsync(offer.RestatementId);
        Assert.Equal(("failed", "failed", 0L, 0), (failed.State, failed.Dates[0].State, failed.Dates[0].RestatedRunId, failed.Restated));
        var job = await world.Jobs.GetJobAsync(new GetJobRequest { BindingId = binding }, cancellationToken: Token);
        Assert.Equal(("success", ""), (job.LastStatus, job.LastError));
        Assert.Equal(0, await world.Leases.OneAsync<long>("SELECT (SELECT count(*) FROM kpi_run_notice) + (SELECT count(*) FROM kpi_sla_episode)"));
        Assert.Empty((await world.RunAsync(reported)).RestatedByRunIds);

        await world.AcceptAsync(offer.RestatementId);
        await world.FinishAsync(await world.LeaseAsync(), 11);
        Assert.Equal("restated", (await world.EndedAsync(offer.RestatementId)).State);
    }

    [Fact]
    public async Task A_later_refresh_of_a_restated_date_offers_again_and_makes_a_later_revision_of_the_same_reported_number()
    {
        await using var world = await RestatementWorld.StartAsync();
        var (binding, reported) = await ReportedAsync(world, 10);
        var runs = new List<long>();
        foreach (var load in new[] { "load-2", "load-3" })
        {
            await world.RefreshAsync("GDP_A", load, "2026-02-01");
            var offer = await world.OfferAsync(binding);
            Assert.Equal(load, offer.Cause.SourceRun);
            await world.AcceptAsync(offer.RestatementId);
            var lease = await world.LeaseAsync();
            runs.Add(lease.Fence.Number);
            await world.FinishAsync(lease, 11 + runs.Count);
            Assert.Equal(reported, Assert.Single((await world.EndedAsync(offer.RestatementId)).Dates).ReportedRunId);
        }

        Assert.Equal(runs, (await world.RunAsync(reported)).RestatedByRunIds);
        var replay = await Refusals.OfAsync(world.Jobs.ReplayRunAsync(new ReplayRunRequest { RunId = runs[0] }, cancellationToken: Token));
        Assert.Equal("IS_A_RESTATEMENT", replay.Info().Reason);
    }

    [Fact]
    public async Task A_years_dates_run_one_after_the_other_behind_what_is_live_and_what_was_cancelled_goes_on_when_it_is_accepted_again()
    {
        await using var world = await RestatementWorld.StartAsync();
        var binding = await world.BindAsync("late", OnTable);
        await world.RefreshAsync("GDP_A", "load-1", "2026-02-06");
        string[] dates = ["2026-02-01", "2026-02-02", "2026-02-03", "2026-02-04", "2026-02-05"];
        foreach (var date in dates)
            await world.ReportAsync(binding, date, 1);
        await world.RefreshAsync("GDP_A", "load-2", "2026-02-06", changedFrom: "2026-02-01");
        var offer = await world.OfferAsync(binding);
        var accepted = await world.AcceptAsync(offer.RestatementId);
        Assert.Equal((5, 5), (accepted.Total, (await world.Jobs.GetBackfillAsync(new GetBackfillRequest { BackfillId = accepted.BackfillId }, cancellationToken: Token)).Total));

        var first = await world.LeaseAsync();
        await world.Jobs.TriggerJobAsync(new TriggerJobRequest { BindingId = binding, BusinessDate = "2026-02-05" }, cancellationToken: Token);
        await world.FinishAsync(first, 2);
        var live = await world.LeaseAsync();
        Assert.Equal(("restatement", "manual"), (first.TriggerKind, live.TriggerKind));
        await world.FinishAsync(live, 1);
        var second = await world.LeaseAsync();
        var cancelled = await world.Jobs.CancelBackfillAsync(new CancelBackfillRequest { BackfillId = accepted.BackfillId, Reason = "not now" }, cancellationToken: Token);
        Assert.Equal(("cancelling", offer.RestatementId), (cancelled.State, cancelled.RestatementId));
        await world.Agent.NextAsync(message => message.Cancel is not null);
        await world.Agent.FinishAsync(TestAgent.Result(second, "cancelled"));
        await world.Agent.CreditAsync(1);
        var stopped = await world.EndedAsync(offer.RestatementId);
        Assert.Equal(("failed", 1), (stopped.State, stopped.Restated));
        Assert.Equal(["success", "cancelled", "cancelled", "cancelled", "cancelled"], stopped.Dates.Select(d => d.State));

        await world.AcceptAsync(offer.RestatementId);
        foreach (var date in dates[1..])
        {
            var lease = await world.LeaseAsync();
            Assert.Equal(("restated", date), (lease.ScdView, lease.BusinessDate));
            await world.FinishAsync(lease, 3);
        }
        Assert.Equal(("restated", 5), (await world.EndedAsync(offer.RestatementId) is var whole ? (whole.State, whole.Restated) : default));
    }

    [Fact]
    public async Task What_takes_a_restated_kpi_is_offered_a_restatement_because_of_it()
    {
        await using var world = await RestatementWorld.StartAsync();
        var upstream = await world.BindAsync("upstream", OnTable);
        await world.Leases.Node.PutContractAsync(SampleTexts.SimpleContract(dependencies: "[GDP_A, T-SIMPLE@1.0.0]").Replace("T-SIMPLE\n", "T-ABOVE\n", StringComparison.Ordinal).Replace("test.simple", "test.above", StringComparison.Ordinal), Token);
        var downstream = (await world.Jobs.CreateJobAsync(new CreateJobRequest
        {
            Content = SampleTexts.Simple("downstream", ByTheClock.Yearly, "dependencies: { gdp: [GDP_A], kpis: [ { kpi_id: T-SIMPLE, contract_version: 1.0.0 } ] }").Replace("kpi_id: T-SIMPLE\n", "kpi_id: T-ABOVE\n", StringComparison.Ordinal),
        }, cancellationToken: Token)).BindingId;
        await world.RefreshAsync("GDP_A", "load-1", "2026-02-01");
        await world.ReportAsync(upstream, "2026-01-31", 1);
        var above = await world.ReportAsync(downstream, "2026-01-31", 2);
        await world.RefreshAsync("GDP_A", "load-2", "2026-02-01");
        var (offer, direct) = (await world.OfferAsync(upstream), await world.OfferAsync(downstream));
        Assert.Equal("GDP_A", direct.Cause.Source);
        await world.AcceptAsync(offer.RestatementId);
        await world.FinishAsync(await world.LeaseAsync(), 3);

        await world.Leases.UntilAsync("SELECT state = 'superseded' FROM kpi_restatement WHERE restatement_id = @RestatementId", direct);
        var because = await world.OfferAsync(downstream);
        Assert.Equal(("kpi", "T-SIMPLE@1.0.0", offer.RestatementId), (because.Cause.Kind, because.Cause.Source, because.Cause.RestatementId));
        Assert.Equal(above, Assert.Single((await world.GetAsync(because.RestatementId)).Dates).ReportedRunId);
    }

    [Fact]
    public async Task Where_policy_asks_for_approval_two_owners_agree_to_exactly_that_before_anything_runs()
    {
        await using var world = await RestatementWorld.StartAsync();
        var (binding, _) = await ReportedAsync(world, 10);
        await new TenantService.TenantServiceClient(world.Leases.Node.Channel()).PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "dev", RequiresApproval = true }, cancellationToken: Token);
        await world.RefreshAsync("GDP_A", "load-2", "2026-02-01");
        var offer = await world.OfferAsync(binding);
        var early = await Refusals.OfAsync(DecideAsync(world, "business", "approver_business", offer.RestatementId, ""));
        Assert.Equal("NOT_PROPOSED", early.Info().Reason);

        var proposed = await world.AcceptAsync(offer.RestatementId);
        Assert.Equal(("proposed", 0L), (proposed.State, proposed.BackfillId));
        Assert.Equal(["business: business", "technical: technical"], proposed.Approvals.Select(a => $"{a.Capacity}: {a.Owner}{a.GivenBy}"));
        foreach (var (name, role, digest, reason) in new[]
        {
            ("business", "approver_business", "sha256:other", "DIGEST_MISMATCH"), ("somebody", "approver_business", proposed.Digest, "NOT_AN_OWNER"), ("business", "approver_technical", proposed.Digest, "NOT_AN_OWNER"),
        })
            Assert.Equal(reason, (await Refusals.OfAsync(DecideAsync(world, name, role, offer.RestatementId, digest))).Info().Reason);

        Assert.Equal("proposed", (await DecideAsync(world, "business", "approver_business", offer.RestatementId, proposed.Digest)).State);
        Assert.Equal("proposed", (await DecideAsync(world, "business", "approver_business", offer.RestatementId, proposed.Digest)).State);
        var running = await DecideAsync(world, "technical", "approver_technical", offer.RestatementId, proposed.Digest);
        Assert.Equal(("running", true), (running.State, running.BackfillId > 0));
        Assert.Equal(["business", "technical"], running.Approvals.Select(a => a.GivenBy));
        await world.FinishAsync(await world.LeaseAsync(), 11);
        Assert.Equal("restated", (await world.EndedAsync(offer.RestatementId)).State);
    }

    [Fact]
    public async Task An_owner_who_does_not_agree_closes_it_and_nothing_runs()
    {
        await using var world = await RestatementWorld.StartAsync();
        var (binding, _) = await ReportedAsync(world, 10);
        await new TenantService.TenantServiceClient(world.Leases.Node.Channel()).PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "dev", RequiresApproval = true }, cancellationToken: Token);
        await world.RefreshAsync("GDP_A", "load-2", "2026-02-01");
        var proposed = await world.AcceptAsync((await world.OfferAsync(binding)).RestatementId);

        var rejected = await world.RestatementsOf("technical", "approver_technical").RejectRestatementAsync(
            new DecideRestatementRequest { RestatementId = proposed.RestatementId, Digest = proposed.Digest, Comment = "the load is wrong" }, cancellationToken: Token);

        Assert.Equal(("declined", "technical", "the load is wrong"), (rejected.State, rejected.ClosedBy, rejected.CloseReason));
        Assert.Equal("RESTATEMENT_CLOSED", (await Refusals.OfAsync(DecideAsync(world, "business", "approver_business", proposed.RestatementId, proposed.Digest))).Info().Reason);
        Assert.Equal(0, await world.Leases.OneAsync<long>("SELECT count(*) FROM kpi_backfill"));
    }

    [Fact]
    public async Task A_rehearsal_changes_nothing_and_a_decline_needs_a_reason()
    {
        await using var world = await RestatementWorld.StartAsync();
        var (binding, _) = await ReportedAsync(world, 10);
        await world.RefreshAsync("GDP_A", "load-2", "2026-02-01");
        var offer = await world.OfferAsync(binding);

        var rehearsed = await world.Restatements.AcceptRestatementAsync(new AcceptRestatementRequest { RestatementId = offer.RestatementId, ValidateOnly = true }, cancellationToken: Token);

        Assert.Equal(("running", 0L), (rehearsed.State, rehearsed.BackfillId));
        Assert.Equal("offered", (await world.GetAsync(offer.RestatementId)).State);
        var silent = await Refusals.OfAsync(world.Restatements.DeclineRestatementAsync(new DeclineRestatementRequest { RestatementId = offer.RestatementId }, cancellationToken: Token));
        Assert.Equal(StatusCode.InvalidArgument, silent.StatusCode);
        await world.Jobs.PauseJobAsync(new PauseJobRequest { BindingId = binding }, cancellationToken: Token);
        Assert.Equal("PAUSED", (await Refusals.OfAsync(world.AcceptAsync(offer.RestatementId))).Info().Reason);
        Assert.Equal("declined", (await DeclineAsync(world, offer.RestatementId)).State);
    }

    private static async Task<(long Binding, long Run)> ReportedAsync(RestatementWorld world, double value)
    {
        var binding = await world.BindAsync("late", OnTable);
        await world.RefreshAsync("GDP_A", "load-1", "2026-02-01");
        return (binding, await world.ReportAsync(binding, "2026-01-31", value));
    }

    private static AsyncUnaryCall<Restatement> DeclineAsync(RestatementWorld world, long id) =>
        world.Restatements.DeclineRestatementAsync(new DeclineRestatementRequest { RestatementId = id, Reason = "of no account" }, cancellationToken: Token);

    private static AsyncUnaryCall<Restatement> DecideAsync(RestatementWorld world, string name, string role, long id, string digest) =>
        world.RestatementsOf(name, role).ApproveRestatementAsync(new DecideRestatementRequest { RestatementId = id, Digest = digest, Comment = "looked at" }, cancellationToken: Token);

    private static Task<string> EvidenceAsync(RestatementWorld world, long run) =>
        world.Leases.OneAsync<string>("SELECT document::text FROM kpi_evidence WHERE run_id = @run AND kind = 'run'", new { run });
}
