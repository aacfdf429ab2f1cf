using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Runs;

namespace KpiControl.Jobs.Tests.Runs;

public sealed class DispositionTests
{
    private static readonly JobRetry ThreeRetries = new() { MaxRetries = 3, Initial = TimeSpan.FromSeconds(10) };

    private static Disposition After(string? code, int used = 0, string onRuleFail = "suppress", bool lastGood = true, TimeSpan? retryAfter = null) =>
        Disposition.Of(new AttemptOutcome(code is null ? "success" : "failed", code, retryAfter), new RetryState(ThreeRetries, used, onRuleFail, lastGood, 1));

    [Theory]
    [InlineData("MISSING_GDP", "sourcing")]
    [InlineData("LINEAGE_BREAK", "sourcing")]
    [InlineData("VALIDATION_FAIL_PRE", "pre-validation")]
    [InlineData("VALIDATION_FAIL_POST", "post-validation")]
    [InlineData("SQL_ERROR", "execution")]
    [InlineData("EXEC_TIMEOUT", "execution")]
    [InlineData("BUSINESS_RULE_FAIL", "business rule")]
    [InlineData("NOT_READY", "scheduler")]
    [InlineData("INVALID_KPI_ID", "contract")]
    [InlineData("SCHEMA_MISMATCH", "contract")]
    [InlineData("UNAUTHENTICATED", "access")]
    [InlineData("UNAUTHORIZED", "access")]
    [InlineData("POLICY_DENY", "access")]
    [InlineData("RATE_LIMIT", "platform")]
    [InlineData("CONFLICT", "platform")]
    [InlineData("INTERNAL", "platform")]
    public void Every_code_has_its_category(string code, string category)
    {
        Assert.Equal(category, RunErrors.Of(code).CategoryWord);
        Assert.Equal(16, RunErrors.All.Count);
    }

    [Theory]
    [InlineData("MISSING_GDP")]
    [InlineData("LINEAGE_BREAK")]
    [InlineData("SQL_ERROR")]
    [InlineData("EXEC_TIMEOUT")]
    [InlineData("RATE_LIMIT")]
    [InlineData("CONFLICT")]
    [InlineData("INTERNAL")]
    [InlineData("A_CODE_FROM_TOMORROW")]
    public void What_may_pass_is_tried_again_until_the_retries_are_used(string code)
    {
        Assert.Equal(new Disposition(null, null, TimeSpan.FromSeconds(10)), After(code, used: 0));
        Assert.Equal(new Disposition(null, null, TimeSpan.FromSeconds(40)), After(code, used: 2));
        Assert.Equal(new Disposition("failed"), After(code, used: 3));
    }

    [Theory]
    [InlineData("INVALID_KPI_ID")]
    [InlineData("SCHEMA_MISMATCH")]
    [InlineData("UNAUTHENTICATED")]
    [InlineData("UNAUTHORIZED")]
    [InlineData("POLICY_DENY")]
    public void What_cannot_pass_fails_at_once(string code) => Assert.Equal(new Disposition("failed"), After(code));

    [Fact]
    public void A_failed_pre_validation_skips_the_occurrence() =>
        Assert.Equal(new Disposition("skipped", "pre_validation"), After("VALIDATION_FAIL_PRE"));

    [Theory]
    [InlineData("VALIDATION_FAIL_POST")]
    [InlineData("BUSINESS_RULE_FAIL")]
    public void A_failed_rule_does_what_the_job_says_and_is_never_tried_again(string code)
    {
        Assert.Equal(new Disposition("suppressed"), After(code, onRuleFail: "suppress"));
        Assert.Equal(new Disposition("partial"), After(code, onRuleFail: "warn"));
        Assert.Equal(new Disposition("partial"), After(code, onRuleFail: "last_good"));
        Assert.Equal(new Disposition("suppressed"), After(code, onRuleFail: "last_good", lastGood: false));
    }

    [Theory]
    [InlineData("partial")]
    [InlineData("suppressed")]
    public void What_the_agent_did_about_a_failed_rule_stands(string status)
    {
        foreach (var onRuleFail in new[] { "suppress", "warn", "last_good" })
            Assert.Equal(new Disposition(status), Disposition.Of(new AttemptOutcome(status, "VALIDATION_FAIL_POST"), new RetryState(ThreeRetries, 0, onRuleFail, false, 1)));
    }

    [Theory]
    [InlineData("MISSING_GDP")]
    [InlineData("LINEAGE_BREAK")]
    public void Missing_sources_fall_back_after_the_last_retry_if_the_job_allows_it(string code)
    {
        Assert.NotNull(After(code, used: 2, onRuleFail: "last_good").RetryIn);
        Assert.Equal(new Disposition("partial"), After(code, used: 3, onRuleFail: "last_good"));
        Assert.Equal(new Disposition("failed"), After(code, used: 3, onRuleFail: "last_good", lastGood: false));
        Assert.Equal(new Disposition("failed"), After(code, used: 3, onRuleFail: "warn"));
    }

    [Fact]
    public void A_dependency_that_is_not_ready_waits_and_burns_no_retry()
    {
        var disposition = After("NOT_READY", used: 3);
        Assert.True(disposition.Waits);
        Assert.False(disposition.IsTerminal);
    }

    [Fact]
    public void A_service_that_names_a_wait_gets_it() =>
        Assert.Equal(TimeSpan.FromMinutes(5), After("RATE_LIMIT", retryAfter: TimeSpan.FromMinutes(5)).RetryIn);

    [Theory]
    [InlineData("success")]
    [InlineData("partial")]
    [InlineData("suppressed")]
    [InlineData("cancelled")]
    public void An_attempt_without_an_error_ends_as_it_says(string status) =>
        Assert.Equal(new Disposition(status), Disposition.Of(new AttemptOutcome(status), new RetryState(ThreeRetries, 0, "suppress", true, 1)));

    [Fact]
    public void A_cancelled_attempt_is_not_tried_again() =>
        Assert.Equal(new Disposition("cancelled"), Disposition.Of(new AttemptOutcome("cancelled", "EXEC_TIMEOUT"), new RetryState(ThreeRetries, 0, "suppress", true, 1)));

    [Fact]
    public void A_failure_without_a_code_is_tried_again_as_an_internal_one() =>
        Assert.NotNull(Disposition.Of(new AttemptOutcome("failed"), new RetryState(ThreeRetries, 0, "suppress", true, 1)).RetryIn);
}
