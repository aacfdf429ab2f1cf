using System.Text.Json;
using System.Text.RegularExpressions;
using KpiControl.Control.Alerts.Sending;
using KpiControl.Control.Tests.Leases;
using KpiControl.Control.Tests.Sla;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Alerts;

/// <summary>What arrives at the other end.</summary>
public sealed class SendingTests
{
    private const string All = "[failure, sla_warn, sla_breach, skipped, recovered]";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_failure_and_its_recovery_reach_every_kind_of_channel_with_its_key()
    {
        await using var receiver = await AlertReceiver.StartAsync();
        await using var world = await SlaWorld.StartAsync(receiver.Settings);
        var binding = await JobAsync(world, "webhook:ops", "slack:#kpi", "opsgenie:finance-ops", "pagerduty:finance");
        await FailAsync(world, binding);

        var hook = (await receiver.UntilAsync("/hook", 1))[0];
        Assert.Equal(WebhookSender.Sign("shared", hook.Body), hook.Headers[WebhookSender.SignatureHeader]);
        Assert.StartsWith("application/cloudevents+json", hook.Headers["Content-Type"], StringComparison.Ordinal);
        var happened = JsonDocument.Parse(hook.Body).RootElement;
        Assert.Equal(("1.0", "com.kpicontrol.alert.failure", $"/kpicontrol/acme/dev/job"), (Text(happened, "specversion"), Text(happened, "type"), Text(happened, "source")));
        Assert.Equal(("SQL_ERROR", "T-SIMPLE", "1.0.0"), (Text(happened.GetProperty("data"), "error_code"), Text(happened.GetProperty("data"), "kpi_id"), Text(happened.GetProperty("data"), "contract_version")));

        var slack = (await receiver.UntilAsync("/slack", 1))[0];
        Assert.Equal("Bearer shared", slack.Headers["Authorization"]);
        var said = JsonDocument.Parse(slack.Body).RootElement;
        Assert.Equal("#kpi", Text(said, "channel"));
        Assert.Matches(@"\[failed\] acme/dev/job: SQL_ERROR\nKPI: T-SIMPLE@1.0.0, job acme/dev/job \(binding/\d+\)\nSince: .*\nRun: run/\d+ failed, slot .*, business date .*\nCode: SQL_ERROR: It failed.\nLast success: none yet\nEpisode: \d+", Text(said, "text"));

        var opened = JsonDocument.Parse((await receiver.UntilAsync("/v2/alerts", 1))[0].Body).RootElement;
        var triggered = JsonDocument.Parse((await receiver.UntilAsync("/v2/enqueue", 1))[0].Body).RootElement;
        Assert.Equal(("trigger", "critical", "shared"), (Text(triggered, "event_action"), Text(triggered.GetProperty("payload"), "severity"), Text(triggered, "routing_key")));
        Assert.Equal("finance-ops", Text(opened.GetProperty("responders")[0], "name"));
        Assert.Equal(Text(opened, "alias"), Text(triggered, "dedup_key"));

        await FreshnessTests.RunAsync(world, binding);
        var closed = (await receiver.UntilAsync("/v2/alerts", 2))[1];
        Assert.Equal($"/v2/alerts/{Text(opened, "alias")}/close?identifierType=alias", closed.Path);
        var resolved = JsonDocument.Parse((await receiver.UntilAsync("/v2/enqueue", 2))[1].Body).RootElement;
        Assert.Equal(("resolve", Text(triggered, "dedup_key")), (Text(resolved, "event_action"), Text(resolved, "dedup_key")));
        Assert.Contains("[recovered]", (await receiver.UntilAsync("/slack", 2))[1].Body, StringComparison.Ordinal);
        await world.UntilAsync("SELECT bool_and(state = 'sent') FROM kpi_alert_message");
    }

    [Fact]
    public async Task Mail_goes_out_over_STARTTLS_with_AUTH_and_says_what_changed_since_the_last_success()
    {
        using var authority = new TestAuthority();
        await using var smtp = await SmtpServer.StartAsync(authority);
        Environment.SetEnvironmentVariable("KPI_TEST_SMTP_PASSWORD", "p");
        await using var world = await SlaWorld.StartAsync([("Alerts:SendEvery", "00:00:00.1"), .. smtp.Settings(authority, "env:KPI_TEST_SMTP_PASSWORD")]);
        var binding = await JobAsync(world, "email:cfo@acme.example", "email:a@elsewhere.example", "email:reject@acme.example");
        await FreshnessTests.RunAsync(world, binding);
        await world.Node.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = binding, Content = Artifact("job", ["email:cfo@acme.example", "email:a@elsewhere.example", "email:reject@acme.example"], "description: changed") }, cancellationToken: Token);
        await FailAsync(world, binding);

        var mail = await smtp.NextAsync();
        Assert.Equal(("u", true, "kpi@acme.example", "cfo@acme.example"), (mail.User, mail.Tls, mail.From, mail.To.Single()));
        Assert.Matches(@"(?m)^Message-Id: <kpicontrol-\d+-\d+@acme\.example>\r?$", mail.Raw);
        Assert.Matches(@"References: <kpicontrol-acme-\d+-episode-\d+@acme\.example>", mail.Raw);
        var text = mail.Raw.Replace("=\r\n", "", StringComparison.Ordinal);
        Assert.Matches(@"Last success: run/\d+, .*Z\. Changed since: definition sha256:[0-9a-f]+ to sha256:[0-9a-f]+", text);
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_alert_message WHERE state = 'dead' AND last_error LIKE 'mail goes to acme.example only%'");
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_alert_message WHERE channel_value = 'email:reject@acme.example' AND state = 'pending' AND last_error LIKE '%no such user%'");
    }

    [Fact]
    public async Task What_is_not_taken_is_tried_again_with_the_same_key_given_up_listed_and_sent_again()
    {
        await using var receiver = await AlertReceiver.StartAsync();
        receiver.Answer = _ => Task.FromResult(503);
        await using var world = await SlaWorld.StartAsync([.. receiver.Settings, ("Alerts:Retries:0", "00:00:00.1"), ("Alerts:Retries:1", "00:00:00.1")]);
        var binding = await JobAsync(world, "webhook:ops", "webhook:nobody");
        await FailAsync(world, binding);
        await world.UntilAsync("SELECT count(*) = 2 FROM kpi_alert_message WHERE state = 'dead'");
        Assert.Equal(3, receiver.At("/hook").Count);
        Assert.Single(receiver.At("/hook").Select(r => Text(JsonDocument.Parse(r.Body).RootElement, "id")).Distinct());

        var alerts = new AlertService.AlertServiceClient(world.Node.Channel());
        var dead = (await alerts.ListDeadAlertsAsync(new ListDeadAlertsRequest { Tenant = "acme" }, cancellationToken: Token)).Alerts;
        Assert.Equal("it answered 503", dead.Single(d => d.Channel == "webhook:ops").LastError);
        Assert.StartsWith("Webhooks:nobody is not configured", dead.Single(d => d.Channel == "webhook:nobody").LastError, StringComparison.Ordinal);
        var doctor = new DoctorService.DoctorServiceClient(world.Node.Channel(world.Issuer.PersonToken("operator", "*/*/platform_operator")));
        Assert.Equal("broken", (await doctor.DiagnoseAsync(new DiagnoseRequest(), cancellationToken: Token)).Checks.Single(c => c.Kind == "alerts").Outcome);

        receiver.Answer = null;
        var again = new ResendAlertRequest { MessageId = dead.Single(d => d.Channel == "webhook:ops").MessageId, Reason = "it is back" };
        await alerts.ResendAlertAsync(again, cancellationToken: Token);
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_alert_message WHERE state = 'sent'");
        await Assert.ThrowsAsync<Grpc.Core.RpcException>(async () => await alerts.ResendAlertAsync(again, cancellationToken: Token));
        Assert.Equal(1, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_audit WHERE object_kind = 'alert'"));
    }

    [Fact]
    public async Task A_node_that_ends_between_sending_and_recording_sends_nothing_that_the_other_end_takes_for_new()
    {
        await using var receiver = await AlertReceiver.StartAsync();
        var taken = new TaskCompletionSource();
        var ended = new TaskCompletionSource();
        receiver.Answer = async _ =>
        {
            taken.TrySetResult();
            await ended.Task;
            return 0;
        };
        await using var world = await SlaWorld.StartAsync([.. receiver.Settings, ("Alerts:ClaimedFor", "00:00:01")]);
        var binding = await JobAsync(world, "pagerduty:finance");
        await FailAsync(world, binding);
        await taken.Task.WaitAsync(TimeSpan.FromMinutes(1), Token);
        await world.Node.StopAsync();
        Assert.Equal("pending", await world.OneAsync<string>("SELECT state FROM kpi_alert_message"));

        ended.SetResult();
        await world.AddNodeAsync("node-2", receiver.Settings);
        await world.UntilAsync("SELECT state = 'sent' FROM kpi_alert_message");
        Assert.Equal(2, receiver.At("/v2/enqueue").Count);
        Assert.Single(receiver.At("/v2/enqueue").Select(r => Text(JsonDocument.Parse(r.Body).RootElement, "dedup_key")).Distinct());
    }

    [Fact]
    public async Task Two_nodes_send_each_message_once_and_many_of_a_moment_as_one_where_people_read()
    {
        await using var receiver = await AlertReceiver.StartAsync();
        await using var world = await SlaWorld.StartAsync(receiver.Settings);
        await world.AddNodeAsync("node-2", receiver.Settings);
        var bindings = new List<long>();
        for (var i = 0; i < 10; i++)
            bindings.Add(await JobAsync(world, $"job_{i}", ["webhook:ops", "slack:#kpi"]));
        await world.ExecuteAsync("INSERT INTO kpi_run_notice (tenant_id, binding_id, run_id, kind) SELECT 'acme', binding_id, 1, 'failure' FROM kpi_job_binding");
        await world.UntilAsync("SELECT count(*) = 20 FROM kpi_alert_message WHERE state = 'sent'");

        Assert.Equal(10, receiver.At("/hook").Count);
        Assert.Equal(10, receiver.At("/hook").Select(r => Text(JsonDocument.Parse(r.Body).RootElement, "id")).Distinct().Count());
        // One, or two where the moment fell into two looks.
        Assert.InRange(receiver.At("/slack").Count, 1, 2);
        Assert.Equal(10, receiver.At("/slack").Sum(r => Regex.Count(r.Body, @"\[failed\]")));
    }

    [Fact]
    public async Task The_same_within_ten_minutes_is_told_once_a_silence_tells_nothing_and_a_pause_holds_it_back()
    {
        await using var receiver = await AlertReceiver.StartAsync();
        await using var world = await SlaWorld.StartAsync(receiver.Settings);
        var binding = await JobAsync(world, "webhook:ops");
        await FailAsync(world, binding);
        await receiver.UntilAsync("/hook", 1);
        await FailAsync(world, binding);
        await world.UntilAsync("SELECT run_count = 2 FROM kpi_sla_episode");
        Assert.Equal(1, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_alert_message"));

        var alerts = new AlertService.AlertServiceClient(world.Node.Channel());
        var episode = await world.OneAsync<long>("SELECT episode_id FROM kpi_sla_episode");
        await alerts.SilenceEpisodeAsync(new SilenceEpisodeRequest { EpisodeId = episode, Reason = "known", Until = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow().AddHours(1)) }, cancellationToken: Token);
        await world.ExecuteAsync("UPDATE kpi_alert_message SET created_at = created_at - interval '11 minutes'");
        await FailAsync(world, binding);
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_alert_message WHERE state = 'dropped' AND reason = 'silenced'");

        await alerts.UnsilenceEpisodeAsync(new UnsilenceEpisodeRequest { EpisodeId = episode }, cancellationToken: Token);
        await world.ExecuteAsync("UPDATE kpi_alert_message SET created_at = created_at - interval '11 minutes'");
        await world.Node.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = binding }, cancellationToken: Token);
        await world.ExecuteAsync("INSERT INTO kpi_run_notice (tenant_id, binding_id, run_id, kind) VALUES ('acme', @binding, 1, 'failure')", new { binding });
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_alert_message WHERE state = 'held'");
        Assert.Single(receiver.At("/hook"));
        await world.Node.Jobs().ResumeJobAsync(new ResumeJobRequest { BindingId = binding }, cancellationToken: Token);
        await world.ExecuteAsync("UPDATE kpi_alert_message SET next_at = now() WHERE state = 'held'");
        Assert.Contains("the job was paused", (await receiver.UntilAsync("/hook", 2))[1].Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_SLA_breach_is_told_and_so_is_a_slot_that_was_skipped()
    {
        await using var receiver = await AlertReceiver.StartAsync();
        await using var world = await SlaWorld.StartAsync(receiver.Settings);
        var binding = await JobAsync(world, "job", ["webhook:ops"], "sla: { freshness: { target: 1h, grace: 10m } }");
        await world.PlannedAsync(binding);
        await world.PassAsync(binding, "3 hours");
        await receiver.UntilAsync("/hook", 2);
        await world.ExecuteAsync(
            """
            WITH h AS (
            INSERT INTO kpi_job_history (run_id, binding_id, scheduled_for, revision, business_date, lane, final, tenant_id, status, reason, trigger_kind)
            VALUES (nextval('kpi_fence'), @binding, now() - interval '1 day', 1, now(), 1, true, 'acme', 'skipped', 'not_ready', 'manual'), (nextval('kpi_fence'), @binding, now() - interval '2 days', 1, now(), 1, true, 'acme', 'skipped', 'paused', 'manual') RETURNING run_id)
            INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM h
            """, new { binding });
        var received = (await receiver.UntilAsync("/hook", 3)).Select(r => Text(JsonDocument.Parse(r.Body).RootElement, "type")[21..]).Order(StringComparer.Ordinal);
        Assert.Equal(["skipped", "sla_breach", "sla_warn"], received);
    }

    [Fact]
    public async Task No_redirect_is_followed_and_no_metadata_address_called()
    {
        await using var receiver = await AlertReceiver.StartAsync();
        receiver.Answer = _ => Task.FromResult(302);
        await using var world = await SlaWorld.StartAsync(receiver.Settings);
        await FailAsync(world, await JobAsync(world, "webhook:ops"));
        await world.UntilAsync("SELECT last_error LIKE 'it answered 302%' FROM kpi_alert_message");
        Assert.Empty(receiver.At("/elsewhere"));

        foreach (var address in new[] { "169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "::ffff:169.254.169.254", "224.0.0.1" })
            Assert.NotNull(KpiControl.Jobs.Calls.CallableAddresses.Refusal("hooks.example", [System.Net.IPAddress.Parse(address)]));
        Assert.NotNull(KpiControl.Jobs.Calls.CallableAddresses.Refusal("hooks.example", [System.Net.IPAddress.Loopback]));
        Assert.Null(KpiControl.Jobs.Calls.CallableAddresses.Refusal("localhost", [System.Net.IPAddress.Loopback]));
        Assert.Null(KpiControl.Jobs.Calls.CallableAddresses.Refusal("hooks.example", [System.Net.IPAddress.Parse("10.1.2.3")]));
    }

    [Theory]
    [InlineData("Alerts:Channels:acme:Webhooks:ops:Url", "http://hooks.example/x", "plain HTTP")]
    [InlineData("Alerts:Channels:acme:Webhooks:ops:Secret", "hunter2", "is not a reference")]
    [InlineData("Alerts:Channels:acme:Webhooks:ops:Secret", "env:KPI_TEST_NOT_SET", "is not set")]
    [InlineData("Alerts:Channels:acme:Opsgenie:ApiKey", "file:/nowhere", "does not exist")]
    public async Task Settings_that_cannot_work_are_refused_at_start(string key, string value, string why)
    {
        await using var receiver = await AlertReceiver.StartAsync();
        await using var world = await LeaseWorld.WithoutNodeAsync();
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => world.AddNodeAsync("node", [.. receiver.Settings.Where(s => s.Key != key), (key, value)]));
        Assert.Contains(why, refused.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", refused.ToString(), StringComparison.Ordinal);
    }

    private static Task<long> JobAsync(LeaseWorld world, params string[] channels) => JobAsync(world, "job", channels);

    private static async Task<long> JobAsync(LeaseWorld world, string jobId, string[] channels, string more = "")
    {
        await world.Node.PutContractAsync(SampleTexts.SimpleContract(), Token);
        return (await world.Node.Jobs().CreateJobAsync(new CreateJobRequest { Content = Artifact(jobId, channels, more) }, cancellationToken: Token)).BindingId;
    }

    private static string Artifact(string jobId, string[] channels, string more = "") => SampleTexts.Simple(jobId, ByTheClock.Yearly,
        $"alerts:\n{string.Join('\n', channels.Select(c => $"  - {{ channel: \"{c}\", severity: high, on: {All} }}"))}\n{more}");

    private static Task FailAsync(LeaseWorld world, long binding) => FreshnessTests.RunAsync(world, binding, lease => TestAgent.Failure(lease));

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
