using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Grpc.Core;
using KpiControl.Agent.Tests.Execution;
using KpiControl.Agent.Tests.Hosting;
using KpiControl.Agent.Tests.Leasing;
using KpiControl.Agent.Witness;
using KpiControl.Protocol.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace KpiControl.Agent.Tests.Witness;

/// <summary>What the agent remembers of audit chains, and what it says when they are told otherwise.</summary>
public sealed class WitnessTests : IDisposable
{
    private readonly AgentFolder folder = new();

    private string File => Path.Combine(folder.Outbox, "checkpoints.ndjson");

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_history_that_is_shorter_or_another_one_is_said_loudly_and_not_forgotten_by_a_restart()
    {
        var control = new ToldWitness { Answer = Told(At(5, "aa")) };
        await using var server = await control.StartAsync();
        await using (var agent = await StartAsync(server))
        {
            await UntilAsync(() => System.IO.File.Exists(File) && System.IO.File.ReadAllText(File).Contains("\"seq\":\"5\"", StringComparison.Ordinal));
            control.Answer = Told(At(3, "cc"));
            await agent.Lines.WaitForAsync("The audit history of acme was rolled back or written anew: it ends at link 3, signed at 2026-01-01T00:00:03.000000Z, and had come to link 5");
        }
        control.Answer = Told(At(5, "bb"));
        await using (var agent = await StartAsync(server))
        {
            await agent.Lines.WaitForAsync("its link 5 is another one than at 2026-01-01T00:00:05.000000Z");
            control.Answer = new ExchangeResponse { Broken = { "acme" }, Latest = { At(9, "dd") } };
            await agent.Lines.WaitForAsync("it does not go through what is remembered");
            Assert.Equal((5L, "aa"), control.Asked.Last().Remembered.Single() is var kept ? (kept.Seq, kept.Hash) : default);

            control.Answer = Told(At(9, "dd"));
            await UntilAsync(() => control.Asked.Last().Remembered.Any(line => line.Seq == 9));
        }
        Assert.All(control.Tokens, token => Assert.Equal("Bearer test-token", token));
    }

    [Fact]
    public void One_a_day_and_the_latest_are_kept_in_lines_that_anybody_can_read_and_no_more_than_so_many()
    {
        Directory.CreateDirectory(folder.Outbox);
        var kept = new KeptCheckpoints(File);
        foreach (var seq in new[] { 1, 2, 3 })
            kept.Keep(At(seq, "aa"));
        kept.Keep(At(4, "aa", day: 2));
        kept.Keep(At(5, "aa", day: 2));
        kept.Keep(At(1, "bb", "globex"));
        Assert.Equal([1, 4, 5, 1], System.IO.File.ReadLines(File).Select(line => int.Parse(System.Text.Json.Nodes.JsonNode.Parse(line)!["checkpoint"]!["seq"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture)));

        System.IO.File.AppendAllText(File, "{\"checkpoint\":{\n");
        var again = new KeptCheckpoints(File);
        Assert.Equal([("acme", 5L), ("globex", 1L)], again.Latest.Select(line => (line.Tenant, line.Seq)));
        Assert.Null(again.Contradicts(At(6, "aa")));
        Assert.Null(again.Contradicts(At(5, "aa", day: 2)));
        Assert.NotNull(again.Contradicts(At(5, "ab", day: 2)));
        Assert.Null(again.Contradicts(At(1, "aa", "initech")));
        for (var day = 3; day < 600; day++)
            again.Keep(At(100 + day, "aa", day: day));
        Assert.InRange(System.IO.File.ReadLines(File).Count(line => line.Contains("acme", StringComparison.Ordinal)), 300, 401);
    }

    private Task<AgentInProcess> StartAsync(ToldWitness.Server server) => new AgentInProcess(folder, server.Address, new ScriptedExecutor(), ("Agent:Witness:Every", "00:00:00.05")).StartAsync();

    private static ExchangeResponse Told(Checkpoint latest) => new() { Latest = { latest } };

    private static Checkpoint At(long seq, string hash, string tenant = "acme", int day = 1) => new()
    {
        Tenant = tenant, Seq = seq, Hash = hash, SignedAt = FormattableString.Invariant($"{new DateTime(2026, 1, 1).AddDays(day - 1):yyyy-MM-dd}T00:00:{seq % 60:00}.000000Z"), KeyId = "k", Signature = ByteString.CopyFrom(1, 2),
    };

    private static async Task UntilAsync(Func<bool> holds)
    {
        var limit = Patience.Token();
        while (!holds())
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit);
    }

    /// <summary>A control plane that knows nothing but what a test lets it tell.</summary>
    private sealed class ToldWitness : WitnessService.WitnessServiceBase
    {
        public ExchangeResponse Answer { get; set; } = new();

        public ConcurrentQueue<ExchangeRequest> Asked { get; } = new();

        public ConcurrentQueue<string> Tokens { get; } = new();

        public override Task<ExchangeResponse> Exchange(ExchangeRequest request, ServerCallContext context)
        {
            Asked.Enqueue(request);
            Tokens.Enqueue(context.RequestHeaders.GetValue("authorization") ?? "");
            return Task.FromResult(Answer);
        }

        public async Task<Server> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
            builder.Services.AddGrpc();
            builder.Services.AddSingleton(this);
            var app = builder.Build();
            app.MapGrpcService<ToldWitness>();
            await app.StartAsync();
            return new Server(app);
        }

        public sealed class Server(WebApplication app) : IAsyncDisposable
        {
            public string Address => app.Urls.Single();

            public ValueTask DisposeAsync() => app.DisposeAsync();
        }
    }
}
