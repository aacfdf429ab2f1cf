using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Security;

/// <summary>Every method of every service, as every role, for the own tenant and another's, and with every kind of token that is none.</summary>
public sealed class AuthorizationTests(AuthorizationFixture fixture) : IClassFixture<AuthorizationFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // Written by hand, from the platform's roles and verbs; docs/authorization.md shows the same lines.
    // "another tenant": what somebody who may do this in another tenant is told of the object, or shown of the list.
    private const string Matrix = """
        | method | verb | viewer | analyst | author | publisher | approver_business | approver_technical | auditor | admin | platform_operator | agent | another tenant |
        |---|---|---|---|---|---|---|---|---|---|---|---|---|
        | JobService/ValidateJob | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | JobService/CreateJob | Create | – | – | yes | yes | – | – | – | yes | – | – | not found |
        | JobService/UpdateJob | Update | – | – | yes | yes | – | – | – | yes | – | – | not found |
        | JobService/GetJob | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | JobService/ListJobs | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | nothing |
        | JobService/PauseJob | Pause | – | – | – | yes | – | – | – | yes | yes | – | not found |
        | JobService/ResumeJob | Resume | – | – | – | yes | – | – | – | yes | yes | – | not found |
        | JobService/TriggerJob | Run | – | – | – | yes | – | – | – | yes | – | – | not found |
        | JobService/CancelOccurrence | Run | – | – | – | yes | – | – | – | yes | – | – | not found |
        | JobService/BackfillJob | Backfill | – | – | – | yes | – | – | – | yes | – | – | not found |
        | JobService/GetBackfill | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | JobService/ListBackfills | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | nothing |
        | JobService/CancelBackfill | Backfill | – | – | – | yes | – | – | – | yes | – | – | not found |
        | JobService/ReplayRun | Backfill | – | – | – | yes | – | – | – | yes | – | – | not found |
        | JobService/ListRuns | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | JobService/GetRun | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | JobService/GetLineage | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | JobService/PreviewSchedule | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | JobService/ExplainOccurrence | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | JobService/WatchJobs | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | ChangeService/PlanJobs | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | ChangeService/ApplyPlan | Update | – | – | yes | yes | – | – | – | yes | – | – | not found |
        | ChangeService/ProposeChange | ChangeRequestSubmit | – | – | yes | yes | – | – | – | yes | – | – | not found |
        | ChangeService/PromoteJob | ChangeRequestSubmit | – | – | yes | yes | – | – | – | yes | – | – | not found |
        | ChangeService/RollBackJob | Rollback | – | – | – | yes | – | – | – | yes | – | – | not found |
        | ChangeService/GetChange | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | ChangeService/ListChanges | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | nothing |
        | ChangeService/ApproveChange | ChangeRequestApprove | – | – | – | – | yes | yes | – | yes | – | – | not found |
        | ChangeService/RejectChange | ChangeRequestApprove | – | – | – | – | yes | yes | – | yes | – | – | not found |
        | ChangeService/WithdrawChange | ChangeRequestSubmit | – | – | yes | yes | – | – | – | yes | – | – | not found |
        | ChangeService/ApplyChange | Publish | – | – | – | yes | – | – | – | yes | – | – | not found |
        | ChangeService/ListReviews | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | nothing |
        | ChangeService/CloseReview | ChangeRequestApprove | – | – | – | – | yes | yes | – | yes | – | – | not found |
        | DriftService/SetOverride | ScheduleEdit | – | – | – | yes | – | – | – | yes | – | – | not found |
        | DriftService/ClearOverride | ScheduleEdit | – | – | – | yes | – | – | – | yes | – | – | not found |
        | DriftService/ListOverrides | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | nothing |
        | DriftService/ListStores | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | nothing |
        | DriftService/SyncStore | Update | – | – | yes | yes | – | – | – | yes | – | – | not found |
        | DriftService/ListDrift | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | nothing |
        | DriftService/GetDrift | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | DriftService/ReconcileJob | Rollback | – | – | – | yes | – | – | – | yes | – | – | not found |
        | RestatementService/ListRestatements | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | nothing |
        | RestatementService/GetRestatement | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | RestatementService/AcceptRestatement | Backfill | – | – | – | yes | – | – | – | yes | – | – | not found |
        | RestatementService/DeclineRestatement | Backfill | – | – | – | yes | – | – | – | yes | – | – | not found |
        | RestatementService/ApproveRestatement | ChangeRequestApprove | – | – | – | – | yes | yes | – | yes | – | – | not found |
        | RestatementService/RejectRestatement | ChangeRequestApprove | – | – | – | – | yes | yes | – | yes | – | – | not found |
        | CatalogService/PutContract | Publish | – | – | – | yes | – | – | – | yes | – | – | not found |
        | CatalogService/GetContract | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | CatalogService/ListContracts | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | not found |
        | CatalogService/SetContractStatus | Publish | – | – | – | yes | – | – | – | yes | – | – | not found |
        | CatalogService/PutCalendar | Publish | – | – | – | yes | – | – | – | yes | – | – | not found |
        | CatalogService/GetCalendar | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | CatalogService/ListCalendars | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | not found |
        | CatalogService/ListTemplates | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | nothing |
        | CatalogService/RenderTemplate | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | SignalService/PublishSignal | Run | – | – | – | yes | – | – | – | yes | – | – | not found |
        | SignalService/PublishRefresh | Run | – | – | – | yes | – | – | – | yes | – | – | not found |
        | SignalService/ListSignals | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | nothing |
        | FleetService/ListAgents | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | nothing |
        | FleetService/DrainAgent | Pause | – | – | – | – | – | – | – | – | yes | – | – |
        | FleetService/ResumeAgent | Resume | – | – | – | – | – | – | – | – | yes | – | – |
        | FleetService/CreateEnrolment | FleetManage | – | – | – | – | – | – | – | – | yes | – | – |
        | FleetService/ListEnrolments | FleetManage | – | – | – | – | – | – | – | – | yes | – | – |
        | FleetService/RevokeEnrolment | FleetManage | – | – | – | – | – | – | – | – | yes | – | – |
        | FleetService/RegisterAgent | FleetManage | – | – | – | – | – | – | – | – | yes | – | – |
        | FleetService/RevokeAgent | FleetManage | – | – | – | – | – | – | – | – | yes | – | – |
        | FleetService/GetEpoch | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | nothing |
        | FleetService/BumpEpoch | Resume | – | – | – | – | – | – | – | – | yes | – | – |
        | TenantService/CreateTenant | FleetManage | – | – | – | – | – | – | – | – | yes | – | – |
        | TenantService/UpdateTenant | FleetManage | – | – | – | – | – | – | – | – | yes | – | – |
        | TenantService/GetTenant | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | not found |
        | TenantService/ListTenants | List | yes | yes | yes | yes | yes | yes | yes | yes | yes | – | nothing |
        | TenantService/GetPolicy | PolicyRead | – | – | – | – | – | – | yes | yes | – | – | not found |
        | TenantService/ListPolicies | PolicyRead | – | – | – | – | – | – | yes | yes | – | – | not found |
        | TenantService/PutPolicy | PolicyWrite | – | – | – | – | – | – | – | yes | – | – | not found |
        | DoctorService/Diagnose | Diagnose | – | – | – | – | – | – | – | – | yes | – | – |
        | MonitorService/GetLoadMap | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | nothing |
        | MonitorService/GetOverview | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | nothing |
        | AuditService/ListAudit | PolicyRead | – | – | – | – | – | – | yes | yes | – | – | not found |
        | AuditService/ExportAudit | PolicyRead | – | – | – | – | – | – | yes | yes | – | – | not found |
        | AuditService/ExportEvidence | Export | – | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | AuditService/VerifyAudit | PolicyRead | – | – | – | – | – | – | yes | yes | – | – | not found |
        | AuditService/GetAuditKey | PolicyRead | – | – | – | – | – | – | yes | yes | – | – | nothing |
        | AlertService/ListSlaStates | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | nothing |
        | AlertService/ReportSla | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | nothing |
        | AlertService/ListEpisodes | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | nothing |
        | AlertService/GetEpisode | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | not found |
        | AlertService/AcknowledgeEpisode | AlertsManage | – | – | – | yes | – | – | – | yes | – | – | not found |
        | AlertService/SilenceEpisode | AlertsManage | – | – | – | yes | – | – | – | yes | – | – | not found |
        | AlertService/UnsilenceEpisode | AlertsManage | – | – | – | yes | – | – | – | yes | – | – | not found |
        | AlertService/ListDeadAlerts | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | nothing |
        | AlertService/ResendAlert | AlertsManage | – | – | – | yes | – | – | – | yes | – | – | not found |
        | LineageService/ListDeadEvents | Read | yes | yes | yes | yes | yes | yes | yes | yes | – | – | nothing |
        | LineageService/ResendEvents | AlertsManage | – | – | – | yes | – | – | – | yes | – | – | not found |
        | AgentService/Work | an agent's token | – | – | – | – | – | – | – | – | – | yes | – |
        | AgentService/Enroll | a one-time token in the message | yes | yes | yes | yes | yes | yes | yes | yes | yes | yes | – |
        | AgentService/Renew | an agent's certificate | – | – | – | – | – | – | – | – | – | – | – |
        | WitnessService/Exchange | an agent's token | – | – | – | – | – | – | – | – | – | yes | – |
        """;

    private static readonly string[][] Rows = [.. Matrix.Split('\n').Select(line => line.Trim().Trim('|').Split('|').Select(cell => cell.Trim()).ToArray())];
    private static readonly string[] Columns = Rows[0][2..^1];

    private static readonly IReadOnlyList<MethodDescriptor> Methods = [.. typeof(JobServiceReflection).Assembly.GetTypes()
        .Select(type => type.GetProperty("Descriptor")?.GetValue(null)).OfType<FileDescriptor>().SelectMany(file => file.Services).SelectMany(service => service.Methods)];

    public static TheoryData<string> Names => [.. Methods.Select(Name)];

    // The others ask for no token of whoever calls; EnrolmentTests has what they ask for.
    public static TheoryData<string> Guarded => [.. Methods.Select(Name).Where(name => name != "AgentService/Enroll")];

    [Fact]
    public void Every_method_stands_in_the_matrix_and_states_its_verb_in_one_place()
    {
        Assert.Equal(Methods.Select(Name).Order(), Rows[2..].Select(row => row[0]).Order());
        Assert.All(Methods, method => Assert.Equal(Row(method)[1], Verbs.For(Path(method)) switch
        {
            Requirement.ByVerb(var verb) => verb.ToString(),
            Requirement.Agent => "an agent's token",
            Requirement.Certificate => "an agent's certificate",
            Requirement.Anybody => "a one-time token in the message",
            var other => $"{other}",
        }));
        Assert.Null(Verbs.For("/kpicontrol.v1.JobService/DropEverything"));
    }

    [Fact]
    public void The_page_shows_this_matrix() =>
        Assert.Contains(Matrix, File.ReadAllText(Repository.File("docs", "authorization.md")), StringComparison.Ordinal);

    [Theory, MemberData(nameof(Names))]
    public async Task Each_role_may_what_the_matrix_says(string name)
    {
        var method = Find(name);
        var before = await fixture.Control.FootprintAsync();
        foreach (var (role, cell) in Columns.Zip(Row(method)[2..^1]))
        {
            var answer = await CallAsync(method, fixture.TokenOf(role, "acme"), fixture.RequestFor(method));
            var isRefused = answer.StatusCode is StatusCode.PermissionDenied or StatusCode.Unauthenticated or StatusCode.NotFound or StatusCode.Internal or StatusCode.Unknown;
            Assert.True(isRefused == (cell != "yes"), $"{name} as {role}: {answer.StatusCode} {answer.Detail}");
            if (isRefused)
                Assert.Equal(StatusCode.PermissionDenied, answer.StatusCode);
        }
        Assert.Equal(before, await fixture.Control.FootprintAsync());
    }

    [Theory, MemberData(nameof(Guarded))]
    public async Task Another_tenants_object_is_not_there(string name)
    {
        var method = Find(name);
        var told = Row(method)[^1];
        foreach (var role in Columns.Where(role => role is not ("platform_operator" or "agent")))
        {
            var answer = await CallAsync(method, fixture.TokenOf(role, "globex"), fixture.RequestFor(method));
            var expected = Row(method)[2 + Array.IndexOf(Columns, role)] != "yes" ? StatusCode.PermissionDenied : told == "nothing" ? StatusCode.OK : StatusCode.NotFound;
            Assert.True(expected == answer.StatusCode, $"{name} as {role}: {answer.StatusCode} {answer.Detail}");
            Assert.DoesNotContain("acme", Encoding.UTF8.GetString(answer.Message), StringComparison.Ordinal);
            if (answer.StatusCode == StatusCode.NotFound && method.InputType.FindFieldByName("binding_id") is not null)
            {
                var absent = await CallAsync(method, fixture.TokenOf(role, "globex"), fixture.RequestFor(method, bindingId: 987654321));
                Assert.Equal((absent.StatusCode, absent.Detail.Replace("987654321", $"{fixture.BindingId}")), (answer.StatusCode, answer.Detail));
            }
        }
    }

    // What no environment owns: the catalogue (whose changes ask further where jobs run by it), the tenant itself, the epoch.
    private static readonly string[] OfTheTenant =
    [
        "CatalogService/PutContract", "CatalogService/GetContract", "CatalogService/ListContracts", "CatalogService/PutCalendar", "CatalogService/GetCalendar", "CatalogService/ListCalendars",
        "CatalogService/ListTemplates", "CatalogService/RenderTemplate", "JobService/ValidateJob", "TenantService/GetTenant", "TenantService/ListTenants", "FleetService/ListAgents", "FleetService/GetEpoch", "AuditService/GetAuditKey",
    ];

    // Of these a caller is shown the own part: figures, and acts without an environment.
    private static readonly string[] InParts = ["MonitorService/GetLoadMap", "MonitorService/GetOverview", "AlertService/ReportSla", "AuditService/ListAudit", "TenantService/ListPolicies"];

    [Theory, MemberData(nameof(Guarded))]
    public async Task A_grant_in_another_environment_opens_nothing(string name)
    {
        var method = Find(name);
        foreach (var role in Columns.Where(role => role is not ("platform_operator" or "agent") && !OfTheTenant.Contains(name) && Row(method)[2 + Array.IndexOf(Columns, role)] == "yes"))
        {
            var answer = await CallAsync(method, fixture.TokenOf(role, "acme", "stg"), fixture.RequestFor(method));
            var told = Encoding.UTF8.GetString(answer.Message);
            Assert.True(answer.StatusCode == StatusCode.PermissionDenied || answer.StatusCode == StatusCode.OK && (told.Length == 0 || InParts.Contains(name)), $"{name} as {role}: {answer.StatusCode} {answer.Detail} {told}");
            Assert.DoesNotContain("guarded", told, StringComparison.Ordinal);
            Assert.DoesNotContain("dev", told, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("FleetService/DrainAgent")]
    [InlineData("FleetService/BumpEpoch")]
    [InlineData("FleetService/CreateEnrolment")]
    [InlineData("FleetService/RevokeAgent")]
    [InlineData("TenantService/UpdateTenant")]
    [InlineData("DoctorService/Diagnose")]
    public async Task What_concerns_the_whole_platform_asks_for_an_operator_of_all_of_it(string name)
    {
        var answer = await CallAsync(Find(name), fixture.Control.Issuer.PersonToken("half-operator", "*/dev/platform_operator"), fixture.RequestFor(Find(name)));
        Assert.Equal(StatusCode.PermissionDenied, answer.StatusCode);
    }

    [Theory, MemberData(nameof(Guarded))]
    public async Task Without_a_token_that_counts_nothing_is_looked_at(string name)
    {
        var method = Find(name);
        foreach (var (what, token) in fixture.BadTokens)
            foreach (var request in new[] { fixture.RequestFor(method), [0x0a, 0xff, 0xff] })
            {
                var answer = await CallAsync(method, token, request);
                Assert.True(answer.StatusCode == StatusCode.Unauthenticated, $"{name} with {what}: {answer.StatusCode} {answer.Detail}");
            }
    }

    [Theory, MemberData(nameof(Guarded))]
    public async Task Who_may_not_call_learns_nothing_of_what_they_sent(string name)
    {
        var method = Find(name);
        var answer = await CallAsync(method, fixture.TokenOf(Row(method)[1] == "an agent's token" ? "admin" : "agent", "acme"), [0x0a, 0xff, 0xff]);
        Assert.Equal(StatusCode.PermissionDenied, answer.StatusCode);
    }

    private static string Name(MethodDescriptor method) => $"{method.Service.Name}/{method.Name}";

    private static string Path(MethodDescriptor method) => $"/{method.Service.FullName}/{method.Name}";

    private static MethodDescriptor Find(string name) => Methods.Single(method => Name(method) == name);

    private static string[] Row(MethodDescriptor method) => Rows.Single(row => row[0] == Name(method));

    private sealed record Answer(StatusCode StatusCode, string Detail, byte[] Message);

    /// <summary>The answer's first message, or how the call ended; a stream that is open is one that was let in.</summary>
    private async Task<Answer> CallAsync(MethodDescriptor method, string token, byte[] request)
    {
        var bytes = Marshallers.Create(b => b, b => b);
        var type = (method.IsClientStreaming, method.IsServerStreaming) switch { (true, true) => MethodType.DuplexStreaming, (false, true) => MethodType.ServerStreaming, _ => MethodType.Unary };
        var invoker = fixture.Channel(token).CreateCallInvoker();
        var definition = new Method<byte[], byte[]>(type, method.Service.FullName, method.Name, bytes, bytes);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var options = new CallOptions(cancellationToken: enough.Token);
        try
        {
            if (type == MethodType.Unary)
                return new Answer(StatusCode.OK, "", await invoker.AsyncUnaryCall(definition, null, options, request));
            if (type == MethodType.ServerStreaming)
            {
                using var stream = invoker.AsyncServerStreamingCall(definition, null, options, request);
                return new Answer(StatusCode.OK, "", await stream.ResponseStream.MoveNext(Token) ? stream.ResponseStream.Current : []);
            }
            using var both = invoker.AsyncDuplexStreamingCall(definition, null, options);
            // Who is not let in may find the stream closed before the first message; the reason stands in the answer.
            await both.RequestStream.WriteAsync(request, Token).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            return new Answer(StatusCode.OK, "", await both.ResponseStream.MoveNext(Token) ? both.ResponseStream.Current : []);
        }
        catch (RpcException refused)
        {
            return new Answer(refused.StatusCode, refused.Status.Detail, []);
        }
        finally
        {
            await enough.CancelAsync();
        }
    }
}
