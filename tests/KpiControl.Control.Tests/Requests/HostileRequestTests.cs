using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Requests;

/// <summary>What bad input gets, over gRPC and REST alike: a code, a place and plain words; and the database is as it was.</summary>
public sealed class HostileRequestTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(b => b, b => b);

    /// <summary>Of every service; who renews comes with a certificate, and its tests are by the agents' door.</summary>
    private static readonly IReadOnlyList<MethodDescriptor> Methods = [.. typeof(JobServiceReflection).Assembly.GetTypes()
        .Select(type => type.GetProperty("Descriptor")?.GetValue(null)).OfType<FileDescriptor>().SelectMany(file => file.Services)
        .SelectMany(service => service.Methods).Where(method => !method.IsClientStreaming && method.Name != "Renew")];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private JobService.JobServiceClient Jobs => fixture.Host.Jobs();

    public static TheoryData<string> Fields(string of) => [.. Methods.SelectMany(m => m.InputType.Fields.InDeclarationOrder()
        .Where(f => !f.IsRepeated && (of == "text" ? f.FieldType == FieldType.String : f.FieldType == FieldType.Message && f.MessageType.FullName == "google.protobuf.Timestamp"))
        .Select(f => $"{m.Service.Name}/{m.Name}/{f.Name}"))
        // Whose answer to a bad artifact is its findings.
        .Where(name => name != "JobService/ValidateJob/content")];

    [Theory, MemberData(nameof(Fields), "text")]
    public async Task Text_of_a_megabyte_with_a_NUL_or_not_UTF8_is_refused_in_every_field(string which)
    {
        var (method, field) = Find(which);
        var before = await fixture.FootprintAsync();
        foreach (var (what, text) in new[] { ("huge", new string('a', 1 << 20)), ("NUL", "a\0b"), ("escape", "a\u001bb") })
        {
            var message = method.InputType.Parser.ParseFrom([]);
            field.Accessor.SetValue(message, text);
            var refused = await SendAsync(method, message.ToByteArray());
            Assert.True(refused.StatusCode == StatusCode.InvalidArgument, $"{what}: {refused.StatusCode} {refused.Status.Detail}");
            Assert.NotEmpty(refused.Violations());
        }
        var broken = await SendAsync(method, [.. Tag(field), 4, (byte)'a', 0xC3, 0x28, (byte)'b']);
        Assert.True(broken.StatusCode == StatusCode.InvalidArgument, $"not UTF-8: {broken.StatusCode} {broken.Status.Detail}");
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Theory, MemberData(nameof(Fields), "instant")]
    public async Task An_instant_that_no_calendar_has_is_refused_by_name(string which)
    {
        var (method, field) = Find(which);
        var before = await fixture.FootprintAsync();
        foreach (var instant in new[] { new Timestamp { Seconds = long.MaxValue }, new Timestamp { Seconds = long.MinValue }, new Timestamp { Nanos = -1 }, new Timestamp { Nanos = int.MaxValue } })
        {
            var message = method.InputType.Parser.ParseFrom([]);
            field.Accessor.SetValue(message, instant);
            var refused = await SendAsync(method, message.ToByteArray());
            Assert.Equal((StatusCode.InvalidArgument, field.Name), (refused.StatusCode, Assert.Single(refused.Violations()).Field));
        }
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task A_message_that_is_none_has_the_same_code_from_every_method()
    {
        foreach (var method in Methods)
            foreach (var garbage in new byte[][] { [0x0a, 0xff, 0xff], [0x07], [.. Enumerable.Repeat((byte)0x0b, 5000)] })
                Assert.Equal((method.Name, StatusCode.InvalidArgument), (method.Name, (await SendAsync(method, garbage)).StatusCode));
        var stream = new AgentService.AgentServiceClient(fixture.Host.Channel(fixture.Issuer.Token("agent-eu"))).Work(cancellationToken: Token);
        await stream.RequestStream.WriteAsync(new AgentMessage(), Token);
        await Assert.ThrowsAsync<RpcException>(() => stream.ResponseStream.MoveNext(Token));
        var work = new Method<byte[], byte[]>(MethodType.DuplexStreaming, "kpicontrol.v1.AgentService", "Work", Bytes, Bytes);
        using var raw = fixture.Host.Channel(fixture.Issuer.Token("agent-eu")).CreateCallInvoker().AsyncDuplexStreamingCall(work, null, new CallOptions(cancellationToken: Token));
        await raw.RequestStream.WriteAsync([0x0a, 0xff, 0xff], Token);
        Assert.Equal(StatusCode.InvalidArgument, (await Assert.ThrowsAsync<RpcException>(() => raw.ResponseStream.MoveNext(Token))).StatusCode);
    }

    [Fact]
    public async Task Messages_that_are_none_are_told_what_and_where_and_leave_no_stack_trace_in_the_log()
    {
        var list = Methods.Single(m => m.Name == "ListJobs");
        var logged = fixture.Host.Logs.Lines.Count;

        var text = await SendAsync(list, [.. Tag(list.InputType.FindFieldByName("tenant")), 2, 0xC3, 0x28]);
        Assert.Equal(("tenant", StatusCode.InvalidArgument), (Assert.Single(text.Violations()).Field, text.StatusCode));
        Assert.Contains("not UTF-8", text.Status.Detail, StringComparison.Ordinal);
        var garbage = await SendAsync(list, [0x0b]);
        Assert.Contains("is not a message kpicontrol.v1.ListJobsRequest", garbage.Status.Detail, StringComparison.Ordinal);
        Assert.Single(garbage.Violations());
        await A_message_that_is_none_has_the_same_code_from_every_method();
        foreach (var (path, frame, encoding, status) in new[]
        {
            ("kpicontrol.v1.JobService/ListJobs", "", "", "3"), ("kpicontrol.v1.JobService/ListJobs", "00000000FF00", "", "3"),
            ("kpicontrol.v1.JobService/ListJobs", "0000000000" + "0000000000", "", "3"), ("kpicontrol.v1.JobService/ListJobs", "0700000000", "", "3"),
            ("kpicontrol.v1.JobService/ListJobs", "0100000004FFFFFFFF", "gzip", "3"), ("kpicontrol.v1.JobService/ListJobs", "01000000010B", "lzma", "12"),
            ("grpc.health.v1.Health/Check", "00000000010B", "", "3"), ("grpc.health.v1.Health/Watch", "00000000010B", "", "3"),
            ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "00000000010B", "", "3"),
        })
            Assert.Equal((path, frame, status), (path, frame, await RawAsync(path, frame, encoding)));

        Assert.DoesNotContain(fixture.Host.Logs.Lines.Skip(logged), line => line.Contains("Exception", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_page_token_that_somebody_computed_is_no_failure_of_ours_whatever_stands_in_it()
    {
        string[] positions = ["x", "1", "-1", "9223372036854775807", "9223372036854775808", "٣", "1 ", "0x1", "|", "1|", "|1", "1|2|3|4", "a|b", "a|b|c", "-1|1", "9223372036854775807|1",
            "9223372036854775807|x|1", "1|x|y", "\n", "a\nb", "a\nb\nc\nd", "a\nb\nc\0", "\0", "1\0|1", "1|\0|1", "1e3", "\uFFFD", new string('9', 900)];
        // One who may list everything, the platform's lists too.
        var everybody = fixture.Issuer.PersonToken("everybody", "acme/*/admin", "*/*/platform_operator");
        foreach (var method in Methods.Where(m => m.InputType.FindFieldByName("page_token") is not null))
            foreach (var position in positions)
            {
                var request = method.InputType.Parser.ParseFrom([]);
                method.InputType.FindFieldByName("page_token").Accessor.SetValue(request, KpiControl.Control.Requests.Paging.Token(request, position));
                var answer = await AnswerAsync(method, request, everybody);
                Assert.True(answer is StatusCode.OK or StatusCode.InvalidArgument, $"{method.Name} {position}: {answer}");
                // What cannot be the position of any list is refused by each but by those whose position is a name.
                if ((method.Name is not ("ListStores" or "ListTenants") || position is "\0") && position is "x" or "|" or "1e3" or "\0" or "a|b")
                    Assert.True(answer == StatusCode.InvalidArgument, $"{method.Name} {position}: {answer}");
            }
    }

    [Theory]
    [InlineData("malformed", "job_id: [", "syntax.")]
    [InlineData("no mapping", "- a", "schema.")]
    [InlineData("empty", " ", "syntax.")]
    [InlineData("aliased", "a: &x [1]\nb: *x", "syntax.")]
    [InlineData("merged", "a: { b: 1 }\nc: { <<: 1 }", "syntax.")]
    [InlineData("tagged", "a: !!binary aGk=", "syntax.")]
    [InlineData("twice", "job_id: a\njob_id: b", "syntax.")]
    [InlineData("two documents", "a: 1\n---\nb: 2", "syntax.")]
    [InlineData("NUL", "job_id: a\0b", "syntax.")]
    [InlineData("control", "job_id: \"a\u0001\"", "syntax.")]
    [InlineData("unknown field", "+timeuot: 15m", "schema.unknown_field")]
    [InlineData("bad cron", "~61 2 * * *", "meaning.cron")]
    [InlineData("no slot", "~0 0 30 2 *", "meaning.no_next_occurrence")]
    [InlineData("unknown zone", "+schedule_zone", "meaning.timezone")]
    [InlineData("deep", "^", "limits.")]
    [InlineData("huge", "#", "limits.")]
    public async Task A_hostile_artifact_is_refused_with_its_place_by_gRPC_and_REST_alike(string what, string text, string reason)
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var artifact = text[0] switch
        {
            '+' when text == "+schedule_zone" => SampleTexts.Simple().Replace("UTC", "Mars/Olympus"),
            '+' => SampleTexts.Simple(more: text[1..]), '~' => SampleTexts.Simple(cron: text[1..]),
            '^' => "a: " + new string('[', 200), '#' => SampleTexts.Simple(more: "x-note: " + new string('a', 300_000)), _ => text,
        };
        var before = await fixture.FootprintAsync();

        var refused = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = artifact }, cancellationToken: Token));
        using var posted = await fixture.Host.Rest().PostAsync("/api/kpi-jobs", new StringContent(artifact, Encoding.UTF8, "application/yaml"), Token);
        var said = await posted.Content.ReadAsStringAsync(Token);

        Assert.True(refused.StatusCode == StatusCode.InvalidArgument, $"{what}: {refused.StatusCode} {refused.Status.Detail}");
        Assert.Contains(refused.Violations(), v => v.Reason.StartsWith(reason, StringComparison.Ordinal) && v.Description.StartsWith("line ", StringComparison.Ordinal));
        Assert.Equal((400, true), ((int)posted.StatusCode, said.Contains(reason, StringComparison.Ordinal)));
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task A_byte_order_mark_is_no_mistake_and_other_bytes_are()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var client = fixture.Host.Rest();
        async Task<(int, string)> PostAsync(params byte[] body)
        {
            var content = new ByteArrayContent(body);
            content.Headers.ContentType = new("application/yaml");
            using var answer = await client.PostAsync("/api/kpi-jobs?validate_only=true", content, Token);
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(Token));
        }
        Assert.Equal(200, (await PostAsync([0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(SampleTexts.Simple("marked"))])).Item1);
        Assert.Equal(400, (await PostAsync(Encoding.Unicode.GetBytes(SampleTexts.Simple("utf16")))).Item1);
        var (status, said) = await PostAsync([.. "job_id: "u8, 0xC3, 0x28]);
        Assert.Equal((400, true), (status, said.Contains("is not UTF-8 from byte 9 on", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public async Task A_page_size_below_zero_is_refused_and_a_huge_one_is_clamped(int size)
    {
        Assert.Equal("page_size", (await Refusals.OfAsync(Jobs.ListJobsAsync(new ListJobsRequest { PageSize = size }, cancellationToken: Token))).Violations()[0].Field);
        Assert.Equal("page_size", (await Refusals.OfAsync(Jobs.ListRunsAsync(new ListRunsRequest { PageSize = size }, cancellationToken: Token))).Violations()[0].Field);
        await Jobs.ListJobsAsync(new ListJobsRequest { PageSize = int.MaxValue }, cancellationToken: Token);
        await Jobs.ListRunsAsync(new ListRunsRequest { PageSize = int.MaxValue }, cancellationToken: Token);
    }

    [Fact]
    public async Task A_page_token_of_another_query_or_tampered_with_is_refused()
    {
        foreach (var id in new[] { "paged_one", "paged_two" })
            await fixture.Host.CreateSimpleAsync(Token, id);
        var query = new ListJobsRequest { PageSize = 1 };
        var token = (await Jobs.ListJobsAsync(query, cancellationToken: Token)).NextPageToken;
        Assert.NotEmpty(token);
        await Jobs.ListJobsAsync(new ListJobsRequest { PageSize = 5, PageToken = token }, cancellationToken: Token);

        var last = token[^1] == 'A' ? 'B' : 'A';
        foreach (var bad in new[] { token[..^1] + last, token[..^2], token + "AAAA", "x", "é", "..", "A" + token[1..] == token ? "B" + token[1..] : "A" + token[1..] })
        {
            var refused = await Refusals.OfAsync(Jobs.ListJobsAsync(new ListJobsRequest { PageToken = bad }, cancellationToken: Token));
            Assert.Equal((bad, StatusCode.InvalidArgument, "page_token"), (bad, refused.StatusCode, refused.Violations()[0].Field));
        }
        Assert.Equal(StatusCode.InvalidArgument, (await Refusals.OfAsync(Jobs.ListJobsAsync(new ListJobsRequest { Tenant = "acme", PageToken = token }, cancellationToken: Token))).StatusCode);
        Assert.Equal(StatusCode.InvalidArgument, (await Refusals.OfAsync(Jobs.ListRunsAsync(new ListRunsRequest { PageToken = token }, cancellationToken: Token))).StatusCode);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    public async Task Ids_that_nobody_has_are_not_found_or_missing(long id)
    {
        var expected = id == 0 ? StatusCode.InvalidArgument : StatusCode.NotFound;
        Assert.Equal(expected, (await Refusals.OfAsync(Jobs.GetJobAsync(new GetJobRequest { BindingId = id }, cancellationToken: Token))).StatusCode);
        Assert.Equal(expected, (await Refusals.OfAsync(Jobs.PauseJobAsync(new PauseJobRequest { BindingId = id }, cancellationToken: Token))).StatusCode);
        Assert.Equal(expected, (await Refusals.OfAsync(Jobs.GetRunAsync(new GetRunRequest { RunId = id }, cancellationToken: Token))).StatusCode);
    }

    [Theory]
    [InlineData("not-a-uuid", StatusCode.InvalidArgument)]
    [InlineData("{018f4c1e-7b1a-7c3e-9d2a-5b8e6f0a1c2d}", StatusCode.InvalidArgument)]
    [InlineData("018f4c1e-7b1a-7c3e-9d2a-5b8e6f0a1c2d", StatusCode.NotFound)]
    [InlineData("ffffffff-ffff-7fff-bfff-ffffffffffff", StatusCode.NotFound)]
    [InlineData("00000000-0000-0000-0000-000000000000", StatusCode.NotFound)]
    public async Task An_attempt_that_is_none_is_told_from_one_that_nobody_made(string attempt, StatusCode code) =>
        Assert.Equal(code, (await Refusals.OfAsync(Jobs.GetRunAsync(new GetRunRequest { AttemptId = attempt }, cancellationToken: Token))).StatusCode);

    [Theory]
    [InlineData("0001-01-01")]
    [InlineData("9999-12-31")]
    [InlineData("2026-02-30")]
    [InlineData("2026-1-1")]
    [InlineData("yesterday")]
    public async Task A_business_date_out_of_the_calendar_is_refused(string date)
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "dated");
        var before = await fixture.FootprintAsync();
        var trigger = await Refusals.OfAsync(Jobs.TriggerJobAsync(new TriggerJobRequest { BindingId = bound.BindingId, BusinessDate = date }, cancellationToken: Token));
        var signal = await Refusals.OfAsync(new SignalService.SignalServiceClient(fixture.Host.Channel())
            .PublishSignalAsync(new PublishSignalRequest { Tenant = "acme", Name = "eod", BusinessDate = date }, cancellationToken: Token));
        Assert.Equal(("business_date", "business_date"), (trigger.Violations()[0].Field, signal.Violations()[0].Field));
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task Preview_and_explain_have_bounds()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "bounded");
        foreach (var count in new[] { -1, int.MinValue })
            Assert.Equal(StatusCode.InvalidArgument, (await Refusals.OfAsync(Jobs.PreviewScheduleAsync(
                new PreviewScheduleRequest { BindingId = bound.BindingId, Count = count }, cancellationToken: Token))).StatusCode);
        await Jobs.PreviewScheduleAsync(new PreviewScheduleRequest { BindingId = bound.BindingId, Count = 1, After = new Timestamp { Seconds = 253_402_300_799 } }, cancellationToken: Token);
        await Jobs.PreviewScheduleAsync(new PreviewScheduleRequest { BindingId = bound.BindingId, Count = 1, After = new Timestamp { Seconds = -62_135_596_800 } }, cancellationToken: Token);
        foreach (var slot in new[] { "x", "schedule:", "schedule:never", "manual:9999-99-99T00:00:00Z", "schedule:2026-01-01T00:00:00Z:2" })
            Assert.Contains((await Refusals.OfAsync(Jobs.ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = bound.BindingId, SlotKey = slot }, cancellationToken: Token))).StatusCode,
                new[] { StatusCode.InvalidArgument, StatusCode.NotFound });
    }

    [Fact]
    public async Task Twenty_racing_puts_with_one_etag_are_one_edit()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "contended");
        var answers = await Task.WhenAll(Enumerable.Range(1, 20).Select(async i =>
        {
            try
            {
                await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, Etag = bound.Etag, ScheduleCron = $"{i} 3 * * *" }, cancellationToken: Token);
                return StatusCode.OK;
            }
            catch (RpcException refused)
            {
                return refused.StatusCode;
            }
        }));
        Assert.Single(answers, StatusCode.OK);
        Assert.Equal(19, answers.Count(code => code == StatusCode.Aborted));
        Assert.Equal("r2", (await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token)).Etag);
    }

    private static (MethodDescriptor Method, FieldDescriptor Field) Find(string which)
    {
        var parts = which.Split('/');
        var method = Methods.Single(m => m.Service.Name == parts[0] && m.Name == parts[1]);
        return (method, method.InputType.FindFieldByName(parts[2]));
    }

    private async Task<StatusCode> AnswerAsync(MethodDescriptor method, IMessage request, string? token = null)
    {
        try
        {
            var definition = new Method<byte[], byte[]>(MethodType.Unary, method.Service.FullName, method.Name, Bytes, Bytes);
            await fixture.Host.Channel(token).CreateCallInvoker().AsyncUnaryCall(definition, null, new CallOptions(cancellationToken: Token), request.ToByteArray());
            return StatusCode.OK;
        }
        catch (RpcException refused)
        {
            return refused.StatusCode;
        }
    }

    private async Task<string> RawAsync(string path, string frame, string encoding)
    {
        using var client = new HttpClient { BaseAddress = new Uri(fixture.Host.GrpcUrl) };
        var content = new ByteArrayContent(Convert.FromHexString(frame));
        content.Headers.ContentType = new("application/grpc");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/" + path) { Version = new Version(2, 0), VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = content };
        request.Headers.TE.Add(new("trailers"));
        request.Headers.Authorization = new("Bearer", fixture.Issuer.Token());
        if (encoding.Length > 0)
            request.Headers.TryAddWithoutValidation("grpc-encoding", encoding);
        using var answer = await client.SendAsync(request, Token);
        await answer.Content.ReadAsByteArrayAsync(Token);
        return Assert.Single(answer.TrailingHeaders.TryGetValues("grpc-status", out var trailer) ? trailer : answer.Headers.GetValues("grpc-status"));
    }

    private static byte[] Tag(FieldDescriptor field)
    {
        using var text = new MemoryStream();
        using (var output = new CodedOutputStream(text, leaveOpen: true))
            output.WriteTag(field.FieldNumber, WireFormat.WireType.LengthDelimited);
        return text.ToArray();
    }

    private async Task<RpcException> SendAsync(MethodDescriptor method, byte[] message)
    {
        var definition = new Method<byte[], byte[]>(method.IsServerStreaming ? MethodType.ServerStreaming : MethodType.Unary, method.Service.FullName, method.Name, Bytes, Bytes);
        // What agents call nobody else may, and whoever may not is told that before the message is read.
        var invoker = fixture.Host.Channel(method.Service.Name == "WitnessService" ? fixture.Issuer.Token("agent-eu") : null).CreateCallInvoker();
        if (!method.IsServerStreaming)
            return await Refusals.OfAsync(invoker.AsyncUnaryCall(definition, null, new CallOptions(cancellationToken: Token), message));
        using var stream = invoker.AsyncServerStreamingCall(definition, null, new CallOptions(cancellationToken: Token), message);
        return await Assert.ThrowsAsync<RpcException>(() => stream.ResponseStream.MoveNext(Token));
    }
}
