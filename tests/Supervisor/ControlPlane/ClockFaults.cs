using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>A member's time of day is wrong: that of all its programs, the member's own process and upstream's, from one moment to the next.</summary>
internal sealed class ClockFaults(ControlPlaneLab lab)
{
    /// <summary>Every fault by its name.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["holder's clock 10 minutes ahead", "holder's clock 10 minutes behind", "holder's clock a day ahead", "holder's clock a day behind", "another's clock a day ahead"];

    /// <summary>Does it. What it gives mends it.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="holder">The member that has the floating address.</param>
    public Task<Func<Task>> DoAsync(string name, int holder) => name switch
    {
        "holder's clock 10 minutes ahead" => SkewAsync(holder, TimeSpan.FromMinutes(10)),
        "holder's clock 10 minutes behind" => SkewAsync(holder, TimeSpan.FromMinutes(-10)),
        "holder's clock a day ahead" => SkewAsync(holder, TimeSpan.FromDays(1)),
        "holder's clock a day behind" => SkewAsync(holder, TimeSpan.FromDays(-1)),
        "another's clock a day ahead" => SkewAsync(lab.Numbers.First(number => number != holder), TimeSpan.FromDays(1)),
        _ => throw new ArgumentException($"there is no fault '{name}'", nameof(name)),
    };

    private async Task<Func<Task>> SkewAsync(int number, TimeSpan skew)
    {
        IReadOnlyList<int> set = await SetAsync(number, skew);
        Assert.Empty(lab.State(number)!.Programs.Select(static program => program.ProcessId).Except(set));
        return async () =>
        {
            // kube-apiserver's answers say what time it is to it; what the member says of itself counts only with its own, see ControlPlaneLab.State.
            DateTimeOffset said = await DateAsync(number);
            Assert.True((said - TimeProvider.System.GetUtcNow() - skew).Duration() < TimeSpan.FromSeconds(5), $"kube-apiserver of member {number} says {said:u}");
            await SetAsync(number, TimeSpan.Zero);
            await lab.ReadyAsync(number);
        };
    }

    private async Task<IReadOnlyList<int>> SetAsync(int number, TimeSpan skew)
    {
        IReadOnlyList<int> set = await ClockSkew.SetAsync(lab.Process(number).Pid, skew);
        lab.Skews[number] = skew;
        await lab.UntilAsync(() => lab.State(number) is not null, TimeSpan.FromSeconds(10), $"member {number} says the time that it was set to");
        return set;
    }

    private async Task<DateTimeOffset> DateAsync(int number)
    {
        using HttpClient client = lab.Client(lab.Address(number), TimeSpan.FromSeconds(10));
        using HttpResponseMessage answer = await client.GetAsync(new Uri("/version", UriKind.Relative));
        return answer.Headers.Date!.Value;
    }
}
